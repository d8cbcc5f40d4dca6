// Package browser_test drives the pages as a person does: the program as it is built, on a database of its own for each
// test, seen through Debian's Chromium. One Chromium serves the whole run; each test has a browser context, as a private
// window has, so that cookies, storage and shared workers are its own.
//
// A page that writes an error to the console, throws, or breaks its own Content-Security-Policy fails its test, whatever
// else the test looks at.
package browser_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// screenshots is where make screenshots wants its pictures.
var screenshots = flag.String("screenshots", "", "write a picture of every page into this folder, relative to the module's root, and nothing else")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		defer cleanUp()
		return m.Run()
	}())
}

// endings undo what the run made, the last first.
var endings []func()

func cleanUp() {
	for i := len(endings) - 1; i >= 0; i-- {
		endings[i]()
	}
}

// program builds the program once and returns where it is.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fetchq-browser-")
	if err != nil {
		return "", err
	}
	endings = append(endings, func() { _ = os.RemoveAll(dir) })
	binary := filepath.Join(dir, "fetchq")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", binary, "./cmd/web")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return binary, nil
})

// root is the module's folder, from that of this package.
var root = filepath.Join("..", "..")

var errNoChromium = errors.New("there is no Chromium; install it with apt-get install chromium fonts-dejavu-core, or set FETCHQ_CHROMIUM to its program")

// findChromium looks where scripts/with-chromium looks.
func findChromium() (string, error) {
	for _, name := range []string{os.Getenv("FETCHQ_CHROMIUM"), "chromium", "/usr/bin/chromium"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errNoChromium
}

// chromium starts the browser once and returns the context from which tabs are made. It talks through a pipe, so that the
// browser ends with this process, however that ends.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	ctx, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // its own user namespaces are not to be had in containers, and all it sees is our own pages
		chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("lang", "en-GB"),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(time.Minute),
	)...)
	ctx, cancel := chromedp.NewContext(ctx)
	endings = append(endings, end, cancel)
	if err := chromedp.Do(ctx); err != nil {
		return nil, fmt.Errorf("start %s: %w", path, err)
	}
	return ctx, nil
})

// needBrowser skips a test where it cannot run, loudly, and fails it where it must.
func needBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("short: no browser")
	}
	if _, err := findChromium(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("NOT TESTED: " + err.Error())
	}
}
