package backup

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/internal/errs"
)

// Entry is one backup of a destination. Its manifest has no members here.
type Entry struct {
	Name     string
	Manifest Manifest
	Problem  string // why it cannot be restored, as far as its manifest and the sizes of its volumes tell; "": nothing is known against it
}

// List returns up to limit backups behind the name after, in the order of their names; those that Run named stand in the order of their
// times. A limit of 0 is all. What has no manifest is no backup and is not listed. Errors: Unavailable, Forbidden.
func (s *Store) List(ctx context.Context, after string, limit int) ([]Entry, error) {
	names, sizes, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name <= after })
	if limit > 0 && len(names) > limit {
		names = names[:limit]
	}
	return s.entries(ctx, names, sizes)
}

// Latest returns up to limit backups before the name before, "" being behind all, in the opposite order, and whether there are more. Errors: as
// List.
func (s *Store) Latest(ctx context.Context, before string, limit int) (list []Entry, more bool, err error) {
	names, sizes, err := s.names(ctx)
	if err != nil {
		return nil, false, err
	}
	names = slices.DeleteFunc(names, func(name string) bool { return before != "" && name >= before })
	slices.Reverse(names)
	if more = len(names) > limit; more {
		names = names[:limit]
	}
	list, err = s.entries(ctx, names, sizes)
	return list, more, err
}

// names returns the names of the backups that have a manifest, in their order, and the sizes of all objects.
func (s *Store) names(ctx context.Context) (names []string, sizes map[string]int64, err error) {
	sizes = map[string]int64{}
	err = s.each(ctx, func(o *blob.ListObject) {
		if name, _, _ := strings.Cut(o.Key, "."); goodName.MatchString(name) {
			sizes[o.Key] = o.Size
		}
		if name, is := strings.CutSuffix(o.Key, manifestEnd); is && goodName.MatchString(name) {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names, sizes, err
}

// mostObjects of a destination are looked at: a list that does not end is one way to keep a reader busy.
const mostObjects = 1_000_000

// each calls do with each object of a destination.
func (s *Store) each(ctx context.Context, do func(*blob.ListObject)) error {
	objects := s.bucket.List(nil)
	for range mostObjects {
		o, err := s.next(ctx, objects)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		do(o)
	}
	return errs.New(errs.Invalid, "%s has more than %d objects; backups want a folder or a prefix of their own", s, mostObjects)
}

// entries reads the manifests of some names, several at a time.
func (s *Store) entries(ctx context.Context, names []string, sizes map[string]int64) ([]Entry, error) {
	found := make([]*Entry, len(names))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, name := range names {
		group.Go(func() (err error) {
			found[i], err = s.entry(inner, name, sizes)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var list []Entry
	for _, e := range found {
		if e != nil {
			list = append(list, *e)
		}
	}
	return list, nil
}

// entry reads one manifest; nil: it was removed meanwhile.
func (s *Store) entry(ctx context.Context, name string, sizes map[string]int64) (*Entry, error) {
	e := Entry{Name: name}
	m, err := s.manifest(ctx, name, sizes[name+manifestEnd])
	switch {
	case errs.Of(err) == errs.NotFound:
		return nil, nil //nolint:nilnil // none is an answer here
	case errs.Of(err) == errs.Invalid || errs.Of(err) == errs.Unsupported:
		var ours *errs.Error
		errors.As(err, &ours)
		return &Entry{Name: name, Problem: ours.Message}, nil // nothing that it says is to be believed, and least which objects are its own
	case err != nil:
		return nil, err
	}
	for _, v := range m.Volumes {
		if size, there := sizes[v.Object]; !there {
			e.Problem = v.Object + " is missing"
		} else if size != v.Bytes {
			e.Problem = v.Object + " has another size than was written"
		}
	}
	m.Members = nil
	e.Manifest = m
	return &e, nil
}

// Keep says which backups stay: the newest ones, and the newest of each day, week and month, in UTC, as many of these as are named.
type Keep struct{ Last, Daily, Weekly, Monthly int }

// kept picks out of backups those that stay. Those that were not read are nobody's to remove, and stay.
func (k Keep) kept(list []Entry) map[string]bool {
	newest := slices.Clone(list)
	slices.SortStableFunc(newest, func(a, b Entry) int { return b.Manifest.SnapshotAt.Compare(a.Manifest.SnapshotAt) })
	stays := map[string]bool{}
	take := func(n int, period func(time.Time) string) {
		seen := map[string]bool{}
		for _, e := range newest {
			at := e.Manifest.SnapshotAt.UTC()
			if at.IsZero() {
				stays[e.Name] = true
			} else if p := period(at); !seen[p] && len(seen) < n && e.Problem == "" {
				seen[p] = true
				stays[e.Name] = true
			}
		}
	}
	take(k.Last, func(at time.Time) string { return at.Format(time.RFC3339Nano) })
	take(k.Daily, func(at time.Time) string { return at.Format("2006-01-02") })
	take(k.Weekly, func(at time.Time) string {
		return at.AddDate(0, 0, -int((at.Weekday()+6)%7)).Format("2006-01-02")
	})
	take(k.Monthly, func(at time.Time) string { return at.Format("2006-01") })
	return stays
}

// Prune removes the backups that keep does not keep, and what runs left behind that were killed a week before now; dry: it only
// says which. It returns the names of both. Errors: Invalid (nothing would be kept), Unavailable, Forbidden.
func (s *Store) Prune(ctx context.Context, keep Keep, now time.Time, dry bool) ([]string, error) {
	if keep.Last < 0 || keep.Daily < 0 || keep.Weekly < 0 || keep.Monthly < 0 || keep == (Keep{}) {
		return nil, errs.New(errs.Invalid, "say how many backups are kept; with none of last, daily, weekly and monthly nothing would be")
	}
	list, err := s.List(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	stays := keep.kept(list)
	var gone []string
	for _, e := range list {
		if stays[e.Name] {
			continue
		}
		gone = append(gone, e.Name)
		if dry {
			continue
		}
		// The manifest goes first: without it nothing is left that looks like a backup.
		if err := s.remove(ctx, e.Name+manifestEnd); err != nil {
			return gone, err
		}
		for _, v := range e.Manifest.Volumes {
			if err := s.remove(ctx, v.Object); err != nil {
				return gone, err
			}
		}
	}
	left, err := s.leftovers(ctx, list, now.AddDate(0, 0, -7))
	if err != nil {
		return gone, err
	}
	for _, object := range left {
		gone = append(gone, object)
		if !dry {
			if err := s.remove(ctx, object); err != nil {
				return gone, err
			}
		}
	}
	return gone, nil
}

// leftovers are volumes without a manifest, and files that were never given their name. All of one run were last written before a moment: one
// that is under way has volumes without a manifest too.
func (s *Store) leftovers(ctx context.Context, list []Entry, before time.Time) ([]string, error) {
	named := map[string]bool{}
	for _, e := range list {
		named[e.Name] = true
	}
	found, last := map[string][]string{}, map[string]time.Time{}
	err := s.each(ctx, func(o *blob.ListObject) {
		name, end, _ := strings.Cut(o.Key, ".")
		ours := strings.Contains("."+end, archiveEnd) || strings.HasPrefix("."+end, manifestEnd+".")
		if goodName.MatchString(name) && ours && !named[name] {
			found[name] = append(found[name], o.Key)
			if o.ModTime.After(last[name]) {
				last[name] = o.ModTime
			}
		}
	})
	if err != nil {
		return nil, err
	}
	var left []string
	for name, keys := range found {
		if last[name].Before(before) {
			left = append(left, keys...)
		}
	}
	slices.Sort(left)
	return left, nil
}

// Discard removes what a run left behind that was killed before its manifest was written. One that has a manifest is a backup, and stays. Errors:
// Exists (it has), Unavailable, Forbidden.
func (s *Store) Discard(ctx context.Context, name string) error {
	there, err := s.exists(ctx, name+manifestEnd)
	if err != nil {
		return err
	}
	if there {
		return errs.New(errs.Exists, "%s is a whole backup", name)
	}
	objects := s.bucket.List(&blob.ListOptions{Prefix: name + "."})
	for {
		o, err := s.next(ctx, objects)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.remove(ctx, o.Key); err != nil {
			return err
		}
	}
}
