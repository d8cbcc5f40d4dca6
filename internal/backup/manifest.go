package backup

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// Format is the version of the format that this program writes; it reads those from 1 to this.
const Format = 1

// Limits of a backup.
const (
	chunkBytes    = 8 << 20        // of a member
	volumeBytes   = 40_000_000_000 // of an object
	partBytes     = 8 << 20        // of an upload: S3 takes 10,000 parts, which is 83 GB
	manifestBytes = 256 << 20      // of a manifest that is read
	mostRowBytes  = 256 << 20      // of rows that are spread over members and not complete
	queueBytes    = 1 << 20        // of the settings of a queue
)

// Manifest says what a backup is made of. It is the last member of the archive, and stands beside it with the volumes.
type Manifest struct {
	Format     int         `json:"format"`
	Name       string      `json:"name"`
	Program    string      `json:"program"`  // version of Fetchq
	Postgres   string      `json:"postgres"` // version
	SnapshotAt time.Time   `json:"snapshot_at"`
	FinishedAt time.Time   `json:"finished_at"`
	Encryption string      `json:"encryption,omitempty"` // "age", or nothing
	Queues     many[Queue] `json:"queues"`
	// Installation are the tables of users, tokens and so on; nil: they are not in it.
	Installation many[Table]  `json:"installation,omitempty"`
	Members      many[Member] `json:"members"`
	Volumes      many[Volume] `json:"volumes,omitempty"` // in their order; not in the archive itself
}

// Queue is one queue of a backup.
type Queue struct {
	Name          string          `json:"name"`
	CreatedAt     time.Time       `json:"created_at"`
	Settings      json.RawMessage `json:"settings"` // in the words of the API
	VersionPauses json.RawMessage `json:"version_pauses,omitempty"`
	Counters      many[Counters]  `json:"counters"` // by payload version, with all that was not folded yet
	Seq           int64           `json:"seq"`      // the last numbers that were drawn
	LogSeq        int64           `json:"log_seq"`
	Lease         int64           `json:"lease"` // the highest lease number
	Tables        many[Table]     `json:"tables"`
}

// Table is what was read out of one table: its columns in the order of its text.
type Table struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    int64    `json:"rows"`
	Bytes   int64    `json:"bytes"`
}

// Member is one file of the archive.
type Member struct {
	Name   string `json:"name"`
	Volume int    `json:"volume"` // counted from 1
	Rows   int64  `json:"rows"`   // that end in it
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Volume is one object of the archive.
type Volume struct {
	Object string `json:"object"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Counters are the totals of a payload version.
type Counters struct {
	Version       int   `json:"version"`
	Planned       int64 `json:"planned"`
	Pending       int64 `json:"pending"`
	Active        int64 `json:"active"`
	Completed     int64 `json:"completed"`
	Killed        int64 `json:"killed"`
	EvEntered     int64 `json:"ev_entered"`
	EvPicked      int64 `json:"ev_picked"`
	EvCompleted   int64 `json:"ev_completed"`
	EvRescheduled int64 `json:"ev_rescheduled"`
	EvRejected    int64 `json:"ev_rejected"`
	EvOrphaned    int64 `json:"ev_orphaned"`
	EvKilled      int64 `json:"ev_killed"`
	EvDropped     int64 `json:"ev_dropped"`
	EvForwarded   int64 `json:"ev_forwarded"`
	EvErrors      int64 `json:"ev_errors"`
	EvLogs        int64 `json:"ev_logs"`
}

// Documents counts the documents of a payload version.
func (c Counters) Documents() int64 { return c.Planned + c.Pending + c.Active + c.Completed + c.Killed }

// Documents counts the documents of a queue.
func (q Queue) Documents() (n int64) {
	for _, c := range q.Counters {
		n += c.Documents()
	}
	return n
}

// Rows counts the rows of all tables of a backup.
func (m Manifest) Rows() (n int64) {
	for _, q := range m.Queues {
		for _, t := range q.Tables {
			n += t.Rows
		}
	}
	for _, t := range m.Installation {
		n += t.Rows
	}
	return n
}

// Bytes is the size of all members, before they are packed.
func (m Manifest) Bytes() (n int64) {
	for _, f := range m.Members {
		n += f.Bytes
	}
	return n
}

// Stored is the size of all volumes.
func (m Manifest) Stored() (n int64) {
	for _, v := range m.Volumes {
		n += v.Bytes
	}
	return n
}

// The names that stand in a manifest. None can lead out of its destination, or out of its queue.
var (
	goodName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	goodQueue  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	goodMember = regexp.MustCompile(`^(?:q_([a-z][a-z0-9_]{0,39})|installation)/([a-z][a-z0-9_]{0,29})\.[0-9]{6,9}\.copy$`)
	goodScript = regexp.MustCompile(`^q_([a-z][a-z0-9_]{0,39})/load\.sql$`)
	goodColumn = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
)

const (
	manifestEnd    = ".manifest.json"
	manifestMember = "manifest.json"
	archiveEnd     = ".tar.zst"
	sealedEnd      = ".age"
)

// objectName is what a volume is called, counted from 1.
func objectName(name string, volume int, sealed bool) string {
	if volume > 1 {
		name += fmt.Sprintf(".%03d", volume)
	}
	name += archiveEnd
	if sealed {
		name += sealedEnd
	}
	return name
}

// memberTable returns the queue, "" for the installation, and the table of a member; one that is no COPY text has none.
func memberTable(name string) (queue, table string) {
	if m := goodMember.FindStringSubmatch(name); m != nil {
		return m[1], m[2]
	}
	if m := goodScript.FindStringSubmatch(name); m != nil {
		return m[1], ""
	}
	return "", ""
}

// stored is the table of a queue that a table of the archive belongs to: partitions have texts of their own.
func stored(table string) string {
	if strings.HasPrefix(table, "docs_p") {
		return "docs"
	}
	return table
}

// damaged is the error of a backup that is not what its manifest says.
func damaged(format string, args ...any) error {
	return errs.New(errs.Invalid, "the backup is damaged: "+format, args...)
}

// parseManifest reads a manifest and refuses what no backup of this program says. A newer format is refused with a sentence of its own.
func parseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := shallow(text); err != nil {
		return m, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return m, damaged("its manifest is not JSON")
	}
	if head.Format > Format {
		return m, errs.New(errs.Unsupported, "the backup has format %d, which a newer Fetchq wrote; this one reads formats up to %d, so restore it with that one", head.Format, Format)
	}
	if head.Format < 1 {
		return m, damaged("its manifest names no format")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, damaged("its manifest cannot be read")
	}
	return m, m.check()
}

// check refuses names that lead elsewhere, sizes that no member has, and what does not fit together.
func (m Manifest) check() error {
	if !goodName.MatchString(m.Name) {
		return damaged("its name is none")
	}
	if m.Encryption != "" && m.Encryption != "age" {
		return errs.New(errs.Unsupported, "the backup is encrypted with %.20q; this Fetchq reads age", m.Encryption)
	}
	if len(m.Program) > 100 || len(m.Postgres) > 100 {
		return damaged("the manifest says of its program what cannot be")
	}
	rows, bytes := map[[2]string]int64{}, map[[2]string]int64{}
	for _, f := range m.Members {
		if !goodMember.MatchString(f.Name) && !goodScript.MatchString(f.Name) {
			return damaged("a member has a name that none has")
		}
		if f.Bytes < 0 || f.Bytes > chunkBytes || f.Rows < 0 || f.Rows > f.Bytes || len(f.SHA256) != 64 || f.Volume < 1 {
			return damaged("the manifest says of %s what cannot be", f.Name)
		}
		queue, table := memberTable(f.Name)
		rows[[2]string{queue, stored(table)}] += f.Rows
		bytes[[2]string{queue, stored(table)}] += f.Bytes
	}
	seen := map[string]bool{}
	for i, q := range m.Queues {
		if !goodQueue.MatchString(q.Name) || seen[q.Name] {
			return damaged("the manifest names a queue that cannot be")
		}
		seen[q.Name] = true
		if len(q.Settings) > queueBytes || len(q.VersionPauses) > queueBytes || !counts(q.Seq) || !counts(q.LogSeq) || !counts(q.Lease) {
			return damaged("the manifest says of the queue %s what cannot be", q.Name)
		}
		if err := m.checkTables(i, rows, bytes); err != nil {
			return err
		}
	}
	if err := m.checkTables(installation, rows, bytes); err != nil {
		return err
	}
	for key := range rows {
		if key[1] != "" || !seen[key[0]] {
			return damaged("it has members of %s/%s, of which the manifest knows no table", key[0], key[1])
		}
	}
	for i, v := range m.Volumes {
		if v.Object != objectName(m.Name, i+1, m.Encryption != "") || !counts(v.Bytes) || len(v.SHA256) != 64 {
			return damaged("volume %d has a name or a size that it cannot have", i+1)
		}
	}
	return nil
}

// checkTables refuses tables of a queue, or of the installation, that are not what the members have, and takes those off that are.
func (m *Manifest) checkTables(queue int, rows, bytes map[[2]string]int64) error {
	name := ""
	if queue != installation {
		name = m.Queues[queue].Name
	}
	for _, t := range m.tables(queue) {
		if !goodColumn.MatchString(t.Name) {
			return damaged("a table of %s has a name that none has", m.folder(queue))
		}
		key := [2]string{name, t.Name}
		if rows[key] != t.Rows || bytes[key] != t.Bytes {
			return damaged("the members of %s/%s do not have the rows of the table", m.folder(queue), t.Name)
		}
		delete(rows, key)
		delete(bytes, key)
		for _, c := range t.Columns {
			if !goodColumn.MatchString(c) {
				return damaged("a column of %s/%s has a name that none has", m.folder(queue), t.Name)
			}
		}
	}
	return nil
}
