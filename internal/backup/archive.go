package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
)

// archive writes members into volumes: tar in zstd in age, if there is somebody to encrypt for, to the destination.
type archive struct {
	ctx     context.Context //nolint:containedctx // of this one run
	store   *Store
	name    string
	limit   int64 // bytes of a volume
	readers []age.Recipient
	time    time.Time // of all members

	volumes []Volume
	members []Member
	current *volume
	stored  int64 // bytes of the volumes that are finished
}

// volume is the object that is being written, from the inside to the outside.
type volume struct {
	tar    *tar.Writer
	pack   *zstd.Encoder
	seal   io.WriteCloser // nil: not encrypted
	object *object
	bytes  atomic.Int64
	hash   hash.Hash // may be read when pack is closed
}

// Write counts what goes to the destination. It is a goroutine of pack that calls it.
func (v *volume) Write(p []byte) (int, error) {
	n, err := v.object.Write(p)
	v.bytes.Add(int64(n))
	v.hash.Write(p[:n])
	return n, err
}

func (a *archive) open() (err error) {
	v := &volume{hash: sha256.New()}
	name := objectName(a.name, len(a.volumes)+1, len(a.readers) > 0)
	if v.object, err = a.store.create(a.ctx, name); err != nil {
		return err
	}
	a.current = v
	a.volumes = append(a.volumes, Volume{Object: name})
	var out io.Writer = v
	if len(a.readers) > 0 {
		if v.seal, err = age.Encrypt(v, a.readers...); err != nil {
			return err
		}
		out = v.seal
	}
	// A window of 4 MB: what is packed in blocks of text of its own finds little farther back.
	v.pack, err = zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(4<<20),
		zstd.WithEncoderConcurrency(min(2, runtime.GOMAXPROCS(0))))
	if err != nil {
		return err
	}
	v.tar = tar.NewWriter(v.pack)
	return nil
}

// finish closes the volume that is being written, and makes its object be there.
func (a *archive) finish() error {
	v := a.current
	if err := v.tar.Close(); err != nil {
		return err
	}
	if err := v.pack.Close(); err != nil {
		return err
	}
	if v.seal != nil {
		if err := v.seal.Close(); err != nil {
			return err
		}
	}
	if err := v.object.Close(); err != nil {
		return err
	}
	last := &a.volumes[len(a.volumes)-1]
	last.Bytes, last.SHA256 = v.bytes.Load(), hex.EncodeToString(v.hash.Sum(nil))
	a.stored += last.Bytes
	a.current = nil
	return nil
}

// add writes a member, at the beginning of a new volume where the present one is full.
func (a *archive) add(name string, text []byte, rows int64) error {
	if a.current != nil && a.current.bytes.Load() >= a.limit {
		if err := a.finish(); err != nil {
			return err
		}
	}
	if err := a.put(name, text); err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	a.members = append(a.members, Member{Name: name, Volume: len(a.volumes), Rows: rows, Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
	return nil
}

func (a *archive) put(name string, text []byte) error {
	if a.current == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	err := a.current.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600, ModTime: a.time, Format: tar.FormatUSTAR})
	if err != nil {
		return err
	}
	_, err = a.current.tar.Write(text)
	return err
}

// close writes the manifest, into the archive and then beside it: with that the backup is valid.
func (a *archive) close(m Manifest) (Manifest, error) {
	m.Members = a.members
	text, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	if err := a.put(manifestMember, text); err != nil {
		return m, err
	}
	if err := a.finish(); err != nil {
		return m, err
	}
	m.Volumes = a.volumes
	if text, err = json.Marshal(m); err != nil {
		return m, err
	}
	return m, a.store.write(a.ctx, a.name+manifestEnd, text)
}

// remove takes away what was written, also when the run was canceled.
func (a *archive) remove() error {
	if a.current != nil {
		a.current.object.abort()
		if a.current.pack != nil {
			_ = a.current.pack.Close() // ends its goroutines; the object takes nothing any more
		}
		a.current = nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), time.Minute)
	defer cancel()
	err := a.store.remove(ctx, a.name+manifestEnd)
	for _, v := range a.volumes {
		if failed := a.store.remove(ctx, v.Object); failed != nil {
			err = failed
		}
	}
	return err
}
