package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"gocloud.dev/gcerrors"

	"github.com/fetchq/server/internal/errs"
)

// Manifest reads the manifest of a backup. Errors: NotFound; Unsupported (a newer format); Invalid (it is damaged).
func (s *Store) Manifest(ctx context.Context, name string) (Manifest, error) {
	return s.manifest(ctx, name, manifestBytes)
}

// Manifests of more bytes than smallManifest are read one at a time by the whole process: a destination may have a hundred of the largest size.
const smallManifest = 4 << 20

var large = make(chan struct{}, 1)

// manifest reads a manifest that has no more than size bytes.
func (s *Store) manifest(ctx context.Context, name string, size int64) (Manifest, error) {
	if !goodName.MatchString(name) {
		return Manifest{}, errs.New(errs.Invalid, "the name of a backup is 1 to 100 letters, digits, - and _")
	}
	if size > smallManifest {
		select {
		case large <- struct{}{}:
			defer func() { <-large }()
		case <-ctx.Done():
			return Manifest{}, context.Cause(ctx)
		}
	}
	text, err := s.read(ctx, name+manifestEnd, min(size, manifestBytes))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return Manifest{}, errs.New(errs.NotFound, "%s has no backup named %s", s, name)
	}
	if err != nil {
		return Manifest{}, err
	}
	m, err := parseManifest(text)
	if err == nil && m.Name != name {
		err = damaged("the manifest is that of another one")
	}
	if err == nil && len(m.Volumes) == 0 {
		err = damaged("the manifest names no volume")
	}
	return m, err
}

// identitiesOf reads age's private keys, one a line, as age-keygen writes them.
func identitiesOf(text string) ([]age.Identity, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	list, err := age.ParseIdentities(strings.NewReader(text))
	if err != nil {
		return nil, errs.New(errs.Invalid, "the file of keys has none of age's; one begins with AGE-SECRET-KEY-1")
	}
	return list, nil
}

// walker reads the members of a backup in their order, and holds each against the manifest before it hands it on.
type walker struct {
	store      *Store
	m          Manifest
	identities []age.Identity
	stored     int64 // bytes that came
}

// walk calls do with each member and its text, which is do's until the next call. It reads no byte more than the manifest says there are: what
// unpacks to more is refused. Nothing of a volume is known to be whole before walk has returned.
func (w *walker) walk(ctx context.Context, do func(f Member, text []byte) error) error {
	if w.m.Encryption != "" && len(w.identities) == 0 {
		return errs.New(errs.Invalid, "the backup is encrypted; its key is wanted")
	}
	buffer := make([]byte, chunkBytes)
	members := w.m.Members
	for i, v := range w.m.Volumes {
		n := 0
		for n < len(members) && members[n].Volume == i+1 {
			n++
		}
		if err := w.volume(ctx, v, members[:n], i == len(w.m.Volumes)-1, buffer, do); err != nil {
			return err
		}
		members = members[n:]
	}
	if len(members) > 0 {
		return damaged("%s stands in no volume", members[0].Name)
	}
	return nil
}

// counted counts and hashes what is read.
type counted struct {
	io.Reader
	n    *int64
	size int64
	hash hash.Hash
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	*c.n += int64(n)
	c.size += int64(n)
	c.hash.Write(p[:n])
	return n, err
}

func (w *walker) volume(ctx context.Context, v Volume, members []Member, last bool, buffer []byte, do func(Member, []byte) error) error {
	object := w.store.reader(ctx, v.Object)
	defer object.Close()
	in := &counted{Reader: io.LimitReader(object, v.Bytes+1), n: &w.stored, hash: sha256.New()}
	err := w.unpack(in, members, last, buffer, do)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case gcerrors.Code(err) == gcerrors.NotFound:
		return damaged("its object %s is missing", v.Object)
	default:
		var ours *errs.Error
		if errors.As(err, &ours) {
			return err
		}
		return &errs.Error{Code: errs.Invalid, Message: fmt.Sprintf("the backup is damaged: %s cannot be unpacked", v.Object), Err: err}
	}
	// What stands behind the end of the archive has to be there too, and nothing more.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if in.size != v.Bytes || hex.EncodeToString(in.hash.Sum(nil)) != v.SHA256 {
		return damaged("%s is not what was written", v.Object)
	}
	return nil
}

// unpack reads the members of a volume out of its bytes.
func (w *walker) unpack(in io.Reader, members []Member, last bool, buffer []byte, do func(Member, []byte) error) error {
	if w.m.Encryption != "" {
		opened, err := age.Decrypt(in, w.identities...)
		var none *age.NoIdentityMatchError
		if errors.As(err, &none) {
			return errs.New(errs.Forbidden, "the backup is encrypted for another key than the one that was given")
		}
		if err != nil {
			return err
		}
		in = opened
	}
	pack, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return err
	}
	defer pack.Close()
	text := int64(2 * 512)
	for _, f := range members {
		text += 512 + (f.Bytes+511)/512*512
	}
	if last {
		text += manifestBytes + 1024
	}
	files := tar.NewReader(io.LimitReader(pack, text))
	for _, f := range members {
		head, err := files.Next()
		if err == io.EOF {
			return damaged("%s is missing", f.Name)
		}
		if err != nil {
			return err
		}
		if head.Name != f.Name || head.Size != f.Bytes || head.Typeflag != tar.TypeReg {
			return damaged("where %s should be stands something else", f.Name)
		}
		piece := buffer[:f.Bytes]
		if _, err := io.ReadFull(files, piece); err != nil {
			return err
		}
		if sum := sha256.Sum256(piece); hex.EncodeToString(sum[:]) != f.SHA256 {
			return damaged("%s is not what was written", f.Name)
		}
		if err := do(f, piece); err != nil {
			return err
		}
	}
	if last {
		head, err := files.Next()
		if err != nil && err != io.EOF {
			return err
		}
		if err != nil || head.Name != manifestMember {
			return damaged("its last member is not its manifest")
		}
	}
	if head, err := files.Next(); err != io.EOF {
		if err == nil {
			return damaged("it has a member that the manifest does not know: %.60q", head.Name)
		}
		return err
	}
	return nil
}
