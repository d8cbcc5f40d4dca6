package backup_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// forge puts a backup into a folder that no program wrote: an archive of members, and a manifest beside it.
func forge(t *testing.T, dir string, m backup.Manifest, members map[string][]byte) {
	t.Helper()
	var out bytes.Buffer
	pack, err := zstd.NewWriter(&out, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(pack)
	put := func(name string, text []byte) {
		if err := files.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range m.Members {
		put(f.Name, members[f.Name])
	}
	for name, text := range members {
		if strings.HasPrefix(name, "behind") {
			put(name, text)
		}
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(out.Bytes())
	m.Volumes = []backup.Volume{{Object: m.Name + ".tar.zst", Bytes: int64(out.Len()), SHA256: hex.EncodeToString(sum[:])}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(dir, m.Name+".tar.zst"), out.Bytes())
	save(t, filepath.Join(dir, m.Name+".manifest.json"), text)
}

func save(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// allocated is how many bytes do takes from the heap in all.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestAManifestTakesNoMoreMemoryThanItsSize reads manifests of a few megabytes that would make a thousand times as many small things. It is not parallel:
// it counts what the process takes.
func TestAManifestTakesNoMoreMemoryThanItsSize(t *testing.T) { //nolint:paralleltest // it counts what the process takes
	to, dir := folder(t)
	const n = 1_000_000
	things := func(one string) string { return strings.Repeat(one+",", n) + one }
	for what, text := range map[string]string{
		"members":  `{"format":1,"name":"evil","members":[` + things(`{}`) + `]}`,
		"queues":   `{"format":1,"name":"evil","queues":[` + things(`{}`) + `]}`,
		"counters": `{"format":1,"name":"evil","queues":[{"name":"a","counters":[` + things(`{}`) + `]}]}`,
		"numbers":  `{"format":1,"name":"evil","volumes":[` + things(`0`) + `]}`,
		"columns":  `{"format":1,"name":"evil","installation":[{"name":"a","columns":[` + things(`""`) + `]}]}`,
		"depth":    `{"format":1,"name":"evil","queues":[{"name":"a","settings":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `}]}`,
		"program":  `{"format":1,"name":"evil","program":"` + strings.Repeat("x", 1000) + `"}`,
	} {
		save(t, filepath.Join(dir, "evil.manifest.json"), []byte(text))
		var err error
		took := allocated(func() { _, err = to.Manifest(t.Context(), "evil") })
		if most := uint64(16*len(text) + 4<<20); errs.Of(err) != errs.Invalid || took > most {
			t.Errorf("%s: %v, and %d bytes for a manifest of %d", what, err, took, len(text))
		}
	}
}

// TestPruneTakesNothingThatADamagedManifestNames has a manifest that cannot be a backup's, and names the objects of others as its own.
func TestPruneTakesNothingThatADamagedManifestNames(t *testing.T) {
	t.Parallel()
	to, dir := folder(t)
	for _, name := range []string{"precious", "new.tar.zst"} {
		save(t, filepath.Join(dir, name), []byte("x"))
	}
	for name, day := range map[string]string{"evil": "01", "new": "09"} {
		save(t, filepath.Join(dir, name+".manifest.json"), fmt.Appendf(nil, `{"format":1,"name":%q,"snapshot_at":"2026-11-%sT00:00:00Z","volumes":[{"object":"precious","bytes":1,"sha256":%q}]}`,
			name, day, strings.Repeat("0", 64)))
	}
	if gone, err := to.Prune(t.Context(), backup.Keep{Last: 1}, time.Now(), false); err != nil || len(gone) != 0 {
		t.Errorf("it takes %q, %v", gone, err)
	}
	if list, err := to.List(t.Context(), "", 0); err != nil || len(list) != 2 || list[0].Problem == "" || list[0].Manifest.Volumes != nil {
		t.Errorf("the list has %+v, %v", list, err)
	}
	if got := objects(t, dir); len(got) != 4 {
		t.Errorf("the folder has %q", got)
	}
}

// TestAFolderWithLinksAndPipes has them where a manifest, a volume and the probe would be.
func TestAFolderWithLinksAndPipes(t *testing.T) {
	t.Parallel()
	to, dir := folder(t)
	outside := filepath.Join(t.TempDir(), "outside")
	save(t, outside, []byte("fetchq was here"))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.manifest.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link.manifest.json", "fetchq-probe", "volume.tar.zst"} {
		if err := os.Symlink(outside, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	forged := backup.Manifest{Format: 1, Name: "volume", Volumes: []backup.Volume{{Object: "volume.tar.zst", Bytes: 15, SHA256: strings.Repeat("0", 64)}}}
	text, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(dir, "volume.manifest.json"), text)
	list, err := to.List(t.Context(), "", 0)
	if err != nil || len(list) != 3 {
		t.Fatalf("the list has %+v, %v", list, err)
	}
	for _, e := range list[:2] {
		if !strings.Contains(e.Problem, "no plain file") {
			t.Errorf("%s: %q", e.Name, e.Problem)
		}
	}
	if _, err := backup.New(backup.Options{}).Verify(t.Context(), to, "volume", backup.VerifyParams{}); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("a volume that is a link: %v", err)
	}
	if err := to.Probe(t.Context()); err != nil {
		t.Errorf("the probe, which takes the place of a link: %v", err)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "fetchq was here" {
		t.Errorf("what stands outside is %q, %v", got, err)
	}
}

// TestAnArchiveThatUnpacksToMoreThanItSays has half a gigabyte behind its last member.
func TestAnArchiveThatUnpacksToMoreThanItSays(t *testing.T) { //nolint:paralleltest // it counts what the process takes
	to, dir := folder(t)
	forge(t, dir, backup.Manifest{Format: 1, Name: "bomb"}, map[string][]byte{"behind": make([]byte, 512<<20)})
	var err error
	took := allocated(func() { _, err = backup.New(backup.Options{}).Verify(t.Context(), to, "bomb", backup.VerifyParams{}) })
	if errs.Of(err) != errs.Invalid || took > 64<<20 {
		t.Errorf("it says %v, and took %d bytes", err, took)
	}
}

// TestRowsThatNeverEnd has members of many partitions, each the beginning of a row.
func TestRowsThatNeverEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	to, dir := folder(t)
	w.exec(`select fetchq.queue_create('a')`)
	m := mustRun(t, w, to, backup.RunParams{})
	text := bytes.Repeat([]byte("x"), 8<<20)
	sum := sha256.Sum256(text)
	m.Name, m.Members = "rows", nil
	texts := map[string][]byte{}
	for i := range 40 {
		f := backup.Member{Name: fmt.Sprintf("q_a/docs_p%d.000001.copy", i), Volume: 1, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])}
		m.Members, texts[f.Name] = append(m.Members, f), text
	}
	for i := range m.Queues[0].Tables {
		table := &m.Queues[0].Tables[i]
		table.Rows, table.Bytes = 0, 0
		if table.Name == "docs" {
			table.Bytes = 40 * int64(len(text))
		}
	}
	texts["behind"] = nil
	forge(t, dir, m, texts)
	if _, err := w.b.Restore(t.Context(), to, "rows", backup.RestoreParams{As: "b"}); errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "larger than any") {
		t.Errorf("the restore says %v", err)
	}
}

// TestDestinationsThatLeadInside are refused by what stands in their URL, and by what a name leads to when it is dialed.
func TestDestinationsThatLeadInside(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"s3://b?region=eu&endpoint=http://169.254.169.254/latest", "s3://b?region=eu&endpoint=http://[::ffff:169.254.169.254]", "s3://b?region=eu&endpoint=http://[fe80::1%25lo]:80",
		"s3://b?region=eu&endpoint=http://[fd00:ec2::254]", "s3://b?region=eu&endpoint=http://[64:ff9b::a9fe:a9fe]", "s3://b?region=eu&endpoint=http://100.100.100.200",
		"azblob://c?storage_account=169&domain=254.169.254&protocol=http", "azblob://c?localemu=true&domain=x", "gs://b?anonymous=true&universe_domain=evil.example", "gs://b?private_key_path=/etc/passwd",
	} {
		if s, err := backup.OpenStore(t.Context(), address, false); err == nil {
			s.Close()
			t.Errorf("%s is opened", address)
		}
	}
	// The name of a bucket stands before the host of its endpoint: which address that is, is seen by nobody but who dials it.
	s := open(t, "s3://169?region=eu&endpoint=http://254.169.254&profile=default")
	if _, err := s.Manifest(t.Context(), "x"); errs.Of(err) != errs.Forbidden || !strings.Contains(err.Error(), "169.254.169.254") {
		t.Errorf("a host that is made of the bucket's name: %v", err)
	}
}
