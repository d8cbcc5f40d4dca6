package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// tree is a directory of the disk as the site shows it: plain files and directories alone. What http.FileServer treats
// in a way of its own is left out, so that each entry is one page: it would show index.html in place of the list of a
// directory, and links may lead anywhere.
type tree struct{ fs.FS }

func newTree(root string) tree { return tree{os.DirFS(root)} }

// Open opens a file or a directory of the site.
func (t tree) Open(name string) (fs.File, error) {
	info, err := fs.Lstat(t.FS, name)
	if err != nil {
		return nil, err
	}
	if !shown(fs.FileInfoToDirEntry(info)) && name != "." {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	f, err := t.FS.Open(name)
	if dir, ok := f.(fs.ReadDirFile); ok && err == nil && info.IsDir() {
		return directory{dir}, nil
	}
	return f, err
}

func shown(e fs.DirEntry) bool {
	return e.IsDir() || e.Type().IsRegular() && e.Name() != "index.html"
}

// directory lists what the site shows.
type directory struct{ fs.ReadDirFile }

// ReadDir lists the directory.
func (d directory) ReadDir(n int) ([]fs.DirEntry, error) {
	entries, err := d.ReadDirFile.ReadDir(n)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !shown(e) }), err
}

// A site is a file server that fails on purpose: some pages once, some files always. Which ones depends on the path
// alone, so that every run has the same ones.
type site struct {
	files http.Handler
	delay time.Duration
	base  string // "http://127.0.0.1:port"
	stop  func()

	mu     sync.Mutex
	asked  map[string]int // per path
	failed int64          // answers that failed on purpose
	served int64          // answers that did not
}

// serve starts a site on a free port of the loopback, which takes delay for each page.
func serve(t tree, delay time.Duration) (*site, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the site: %w", err)
	}
	s := &site{files: http.FileServer(http.FS(t)), delay: delay, base: "http://" + listener.Addr().String(), asked: map[string]int{}}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.stop = func() {
		_ = server.Shutdown(context.Background())
		<-ended
	}
	return s, nil
}

// What a page says that fails, and what a worker makes of it.
const (
	brokenPage     = "broken on purpose, for the demo"
	failsOnPurpose = "the page answered with status 500: " + brokenPage
)

// ServeHTTP answers one visit.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked[r.URL.Path]++
	f := faultOf(r.URL.Path)
	fail := f == always || f == once && s.asked[r.URL.Path] == 1
	if fail {
		s.failed++
	} else {
		s.served++
	}
	s.mu.Unlock()
	if s.delay > 0 {
		time.Sleep(s.delay) // stands for the time that real sites take
	}
	if fail {
		http.Error(w, brokenPage, http.StatusInternalServerError)
		return
	}
	s.files.ServeHTTP(w, r)
}

// visits returns how many visits succeeded, and how many failed on purpose.
func (s *site) visits() (served, failed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served, s.failed
}

// fault says how a page fails.
type fault int

const (
	never  fault = iota
	once         // the first visit fails: a reject and a retry
	always       // the document is killed after the last attempt
)

// faultOf returns the fault of a path: of 100 files one fails always, of 100 pages two fail once. A directory does not
// fail always: nobody would find what is in it.
func faultOf(urlPath string) fault {
	h := fnv.New32a()
	_, _ = h.Write([]byte(urlPath))
	switch n := h.Sum32() % 100; {
	case n == 0 && !strings.HasSuffix(urlPath, "/"):
		return always
	case n == 1 || n == 2:
		return once
	}
	return never
}

// page is what the truth says about a page.
type page struct {
	dir   bool
	size  int64
	fault fault
}

// pages walks the tree and returns all pages that exist by their URL below base. A directory's ends with a slash.
func pages(t tree, base string) (map[string]page, error) {
	all := map[string]page{}
	err := fs.WalkDir(t, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		p := path.Join("/", name)
		if e.IsDir() && p != "/" {
			p += "/"
		}
		all[base+(&url.URL{Path: p}).EscapedPath()] = page{dir: e.IsDir(), size: info.Size(), fault: faultOf(p)}
		return nil
	})
	return all, err
}
