package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"github.com/fetchq/server/internal/errs"
)

// patience is how long a destination may take to accept or to deliver a piece before it counts as gone.
const patience = 3 * time.Minute

// Store is a destination: a folder, or a bucket and a prefix in it.
type Store struct {
	bucket   *blob.Bucket
	url      *url.URL // of the destination, without a slash at its end
	folder   string   // "" where it is a bucket
	patience time.Duration
}

// OpenStore opens the destination of a URL: file:///folder, s3://bucket/prefix?region=…, gs:// or azblob:// likewise. Credentials are found
// as the destination's own programs find them: in the environment, in files, by the role of the machine. A folder that is not there is made
// where create says so. Errors: Invalid; NotFound (the folder); Unavailable.
func OpenStore(ctx context.Context, address string, create bool) (*Store, error) {
	return Access{}.Open(ctx, address, create)
}

// Open is OpenStore with the access that destinations have.
func (a Access) Open(ctx context.Context, address string, create bool) (*Store, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return nil, errs.New(errs.Invalid, "a destination is a URL like file:///folder or s3://bucket/prefix?region=eu-central-1")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	if u.Scheme == "file" {
		if u.Host != "" || !filepath.IsAbs(u.Path) || u.RawQuery != "" {
			return nil, errs.New(errs.Invalid, "a folder is file:// and an absolute path, as in file:///var/backups/fetchq")
		}
		// Written beside where it goes, so that nothing is copied and another disk is no matter.
		bucket, err := fileblob.OpenBucket(filepath.FromSlash(u.Path), &fileblob.Options{
			CreateDir: create, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
		if err != nil {
			return nil, refused("open", u, err)
		}
		return &Store{bucket: bucket, url: u, folder: filepath.FromSlash(u.Path), patience: patience}, nil
	}
	if u.Host == "" || u.User != nil {
		return nil, errs.New(errs.Invalid, "the destination %s names no bucket, or has a password in it; credentials come from the environment", Redacted(address))
	}
	prefix := strings.TrimPrefix(u.Path, "/")
	if prefix != "" && (path.Clean("/"+prefix) != "/"+prefix) {
		return nil, errs.New(errs.Invalid, "the prefix of the destination %s is no plain path", Redacted(address))
	}
	bare := *u
	bare.Path = ""
	bucket, err := a.bucket(ctx, &bare)
	if err != nil {
		return nil, refused("open", u, err)
	}
	if prefix != "" {
		bucket = blob.PrefixedBucket(bucket, prefix+"/")
	}
	return &Store{bucket: bucket, url: u, patience: patience}, nil
}

// Close ends the use of the destination.
func (s *Store) Close() error { return s.bucket.Close() }

// String is the destination's URL, without secrets.
func (s *Store) String() string { return Redacted(s.url.String()) }

// ObjectURL is the URL of an object of the destination, by which Locate finds the backup; without secrets.
func (s *Store) ObjectURL(object string) string {
	u := *s.url
	u.Path += "/" + object
	return Redacted(u.String())
}

// secret are the parameters of URLs that may hold one.
var secret = regexp.MustCompile(`(?i)key|token|secret|sig|pass|credential`)

// Redacted is a URL without its secrets; of one that cannot be read nothing but its scheme is left.
func Redacted(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		scheme, _, _ := strings.Cut(address, ":")
		return scheme[:min(len(scheme), 10)] + ":(hidden)"
	}
	if u.User != nil {
		u.User = url.User("hidden")
	}
	query := u.Query()
	for name := range query {
		if secret.MatchString(name) {
			query.Set(name, "hidden")
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// Locate splits the URL of a backup into its destination and its name: an object of it, its manifest, or the name alone may be given.
func Locate(address string) (destination, name string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", errs.New(errs.Invalid, "the URL of a backup cannot be read")
	}
	dir, base := path.Split(u.Path)
	base, _, _ = strings.Cut(base, ".")
	if !goodName.MatchString(base) {
		return "", "", errs.New(errs.Invalid, "%s is not the URL of a backup; fetchq backup list prints those that there are", Redacted(address))
	}
	u.Path = strings.TrimRight(dir, "/")
	return u.String(), base, nil
}

// wrongCredentials are what S3 answers to who shows a key that is none, or none any more.
var wrongCredentials = []string{"InvalidAccessKeyId", "InvalidAccessKeyID", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired"}

// refused says in one sentence what a destination would not do. What lies behind it is for the log.
func refused(what string, u *url.URL, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var ours *errs.Error
	if errors.As(err, &ours) {
		return err
	}
	code, why := errs.Unavailable, "it does not answer as it should"
	var file *os.PathError
	var answer interface{ ErrorCode() string } // of S3
	if errors.As(err, &answer) && slices.Contains(wrongCredentials, answer.ErrorCode()) {
		return &errs.Error{Code: errs.Forbidden, Message: fmt.Sprintf("%s at %s failed: the credentials are wrong", what, Redacted(u.String())), Err: err}
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		code, why = errs.NotFound, "it is not there"
	case gcerrors.PermissionDenied:
		code, why = errs.Forbidden, "the credentials do not allow it"
	case gcerrors.InvalidArgument, gcerrors.FailedPrecondition:
		code, why = errs.Invalid, "the URL or its parameters are wrong"
	default:
		switch {
		case errors.Is(err, os.ErrNotExist):
			code, why = errs.NotFound, "it is not there"
		case errors.As(err, &file):
			why = file.Err.Error()
		case strings.Contains(err.Error(), "AccessDenied"), strings.Contains(err.Error(), "Forbidden"):
			code, why = errs.Forbidden, "the credentials do not allow it"
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errStalled):
			why = "it did not answer in time"
		}
	}
	return &errs.Error{Code: code, Message: fmt.Sprintf("%s at %s failed: %s", what, Redacted(u.String()), why), Err: err}
}

var errStalled = errors.New("nothing moved for minutes")

// exists tells whether an object is there.
func (s *Store) exists(ctx context.Context, object string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	there, err := s.bucket.Exists(ctx, object)
	return there, refused("look", s.url, err)
}

// next goes on in a list of objects; io.EOF is its end.
func (s *Store) next(ctx context.Context, objects *blob.ListIterator) (*blob.ListObject, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	o, err := objects.Next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	return o, refused("list", s.url, err)
}

// remove deletes an object; one that is not there is no error.
func (s *Store) remove(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := s.bucket.Delete(ctx, object)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return refused("delete", s.url, err)
}

// read returns a small object whole, which has no more than most bytes.
func (s *Store) read(ctx context.Context, object string, most int64) ([]byte, error) {
	r := s.reader(ctx, object)
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(text)) > most {
		err = damaged("%s is larger than it may be", object)
	}
	return text, err
}

// write stores a small object.
func (s *Store) write(ctx context.Context, object string, text []byte) error {
	w, err := s.create(ctx, object)
	if err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		w.abort()
		return err
	}
	return w.Close()
}

// Probe tries a destination out: it writes, reads, lists and deletes a small object, and says which of the four failed and why.
func (s *Store) Probe(ctx context.Context) error {
	const object, text = "fetchq-probe", "fetchq was here"
	if err := s.write(ctx, object, []byte(text)); err != nil {
		return err
	}
	found, err := s.read(ctx, object, int64(len(text)))
	if err == nil && string(found) != text {
		err = errs.New(errs.Unavailable, "read at %s failed: another text came back than was written", s)
	}
	if err == nil {
		_, err = s.next(ctx, s.bucket.List(&blob.ListOptions{Prefix: object}))
	}
	return errors.Join(err, s.remove(context.WithoutCancel(ctx), object))
}
