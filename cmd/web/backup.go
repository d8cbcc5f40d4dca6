package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/errs"
)

type backups struct {
	Run    backupRun    `cmd:"" help:"Write a backup of one queue, several, or all, and print its URL. The queues go on meanwhile."`
	List   backupList   `cmd:"" help:"List the backups at a destination."`
	Verify backupVerify `cmd:"" help:"Read a backup to its end and hold it against its digests."`
	Prune  backupPrune  `cmd:"" help:"Remove backups but those that are to be kept."`
}

type backupRun struct {
	Queue     []string `placeholder:"NAME" help:"A queue; may be repeated. Default: all."`
	To        string   `required:"" placeholder:"URL" help:"Where to: file:///folder, s3://bucket/prefix?region=…, gs://bucket/prefix or azblob://container/prefix. Credentials come from the environment."`
	Name      string   `placeholder:"NAME" help:"What the backup is called; default: the time."`
	Recipient []string `placeholder:"KEY" help:"Encrypt to this public key of age; may be repeated."`
	MaxRate   string   `placeholder:"SIZE" help:"Read at most this much a second, as in 20MB."`
	Parallel  int      `default:"2" help:"Connections that read side by side, 1 to 16."`

	Installation bool `help:"Users, tokens (of secrets their hashes), dashboards, views and stars too. Who can read the backup can try passwords: encrypt it."`
}

// Validate refuses what no run can be.
func (c backupRun) Validate() error {
	if c.Parallel < 1 || c.Parallel > 16 {
		return fmt.Errorf("--parallel is %d; 1 to 16 is allowed", c.Parallel)
	}
	_, err := parseSize(c.MaxRate)
	return err
}

// parseSize reads bytes with a unit; "" is 0.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	units := []struct {
		end   string
		bytes float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
	for _, u := range units {
		if digits, is := strings.CutSuffix(text, u.end); is {
			n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
			if err == nil && n*u.bytes >= 1 && n*u.bytes < 1e15 {
				return int64(n * u.bytes), nil
			}
			break
		}
	}
	return 0, fmt.Errorf("--max-rate is %q; a size such as 500kB, 20MB or 1GB is wanted", text)
}

// Run prints the URL alone on standard output.
func (c backupRun) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	return withStore(ctx, cfg, log, c.To, true, func(t *app.Tools, s *backup.Store) error {
		rate, _ := parseSize(c.MaxRate) // Validate has read it
		told := newTold()
		m, err := t.Backups(program()).Run(ctx, s, backup.RunParams{
			Queues: c.Queue, Name: c.Name, Recipients: c.Recipient, MaxRate: rate, Readers: c.Parallel, Progress: told.progress,
			Installation: c.Installation,
		})
		told.end()
		if err != nil {
			return err
		}
		t.Audit.Done(ctx, audit.Entry{Action: audit.BackupRun, Target: m.Volumes[0].Object, Details: map[string]any{
			"rows": m.Rows(), "queues": c.Queue, "installation": c.Installation, "encrypted": len(c.Recipient) > 0,
		}})
		fmt.Fprintf(os.Stderr, "%d rows of %d queues, %s in %s, %s there (%.1f : 1)\n", m.Rows(), len(m.Queues), bytesOf(m.Bytes()),
			m.Duration().Round(time.Millisecond), bytesOf(m.Stored()), float64(m.Bytes())/float64(max(m.Stored(), 1)))
		_, err = fmt.Println(s.ObjectURL(m.Volumes[0].Object))
		return err
	})
}

// withStore opens the database and a destination, and does something with both.
func withStore(ctx context.Context, cfg config.Config, log *slog.Logger, address string, create bool, do func(*app.Tools, *backup.Store) error) error {
	s, err := app.Access(cfg).Open(ctx, address, create)
	if err != nil {
		return err
	}
	defer s.Close()
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	return do(t, s)
}

// told tells on standard error how far something has come, where a person looks at it.
type told struct {
	shown time.Time
	began time.Time
	on    bool
}

func newTold() *told {
	info, err := os.Stderr.Stat()
	return &told{began: time.Now(), on: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (t *told) progress(p backup.Progress) {
	if !t.on || time.Since(t.shown) < 200*time.Millisecond {
		return
	}
	t.shown = time.Now()
	left := ""
	if p.Rows > 0 && p.Total > p.Rows {
		left = ", " + (time.Duration(float64(time.Since(t.began)) * float64(p.Total-p.Rows) / float64(p.Rows))).Round(time.Second).String() + " left"
	}
	fmt.Fprintf(os.Stderr, "\r\x1b[K%s: %d of about %d rows, %s%s", p.Phase, p.Rows, p.Total, bytesOf(p.Bytes), left)
}

func (t *told) end() {
	if t.on {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func bytesOf(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%d B", n)
}

type backupList struct {
	From string `required:"" placeholder:"URL" help:"The destination."`
}

// Run lists what the destination itself has; no database is asked.
func (c backupList) Run(ctx context.Context, cfg config.Config) error {
	s, err := app.Access(cfg).Open(ctx, c.From, false)
	if err != nil {
		return err
	}
	defer s.Close()
	list, err := s.List(ctx, "", 0)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\ttime\tqueues\trows\tsize\tstate")
	for _, e := range list {
		var names []string
		for _, q := range e.Manifest.Queues {
			names = append(names, q.Name)
		}
		if e.Manifest.Installation != nil {
			names = append(names, "(installation)")
		}
		state := "complete"
		if e.Manifest.Encryption != "" {
			state = "complete, encrypted"
		}
		if e.Problem != "" {
			state = e.Problem
		}
		at := e.Manifest.SnapshotAt
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", e.Name, moment(&at), strings.Join(names, ","), e.Manifest.Rows(), bytesOf(e.Manifest.Stored()), state)
	}
	return w.Flush()
}

// keys reads a file of private keys; "" is none.
func keys(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", errs.New(errs.NotFound, "the file of keys cannot be read: %s", errors.Unwrap(err))
	}
	return string(text), nil
}

type backupVerify struct {
	URL      string `arg:"" help:"The backup, as backup run printed it, or the destination and a name of backup list."`
	Identity string `type:"path" placeholder:"FILE" help:"The file with the private key of age, where the backup is encrypted."`
	Load     bool   `help:"Load it into a scratch schema too, and count."`
}

// Run says what was read. Only to load it a database is asked.
func (c backupVerify) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	secret, err := keys(c.Identity)
	if err != nil {
		return err
	}
	to, name, err := backup.Locate(c.URL)
	if err != nil {
		return err
	}
	told := newTold()
	p := backup.VerifyParams{Keys: secret, Load: c.Load, Progress: told.progress}
	verify := func(b *backup.Backups, s *backup.Store) error {
		m, err := b.Verify(ctx, s, name, p)
		told.end()
		if err == nil {
			fmt.Printf("%s is whole: %d rows of %d queues, %s\n", name, m.Rows(), len(m.Queues), bytesOf(m.Bytes()))
		}
		return err
	}
	if c.Load {
		return withStore(ctx, cfg, log, to, false, func(t *app.Tools, s *backup.Store) error { return verify(t.Backups(program()), s) })
	}
	s, err := app.Access(cfg).Open(ctx, to, false)
	if err != nil {
		return err
	}
	defer s.Close()
	return verify(app.OfflineBackups(log), s)
}

type backupPrune struct {
	From    string `required:"" placeholder:"URL" help:"The destination."`
	Last    int    `name:"keep-last" help:"Keep so many of the newest."`
	Daily   int    `name:"keep-daily" help:"Keep the newest of so many days."`
	Weekly  int    `name:"keep-weekly" help:"Keep the newest of so many weeks."`
	Monthly int    `name:"keep-monthly" help:"Keep the newest of so many months."`
	DryRun  bool   `help:"Only say which would go."`
}

// Run prints what went, one a line.
func (c backupPrune) Run(ctx context.Context, cfg config.Config) error {
	s, err := app.Access(cfg).Open(ctx, c.From, false)
	if err != nil {
		return err
	}
	defer s.Close()
	gone, err := s.Prune(ctx, backup.Keep{Last: c.Last, Daily: c.Daily, Weekly: c.Weekly, Monthly: c.Monthly}, time.Now(), c.DryRun)
	for _, name := range gone {
		fmt.Println(name)
	}
	return err
}

type restore struct {
	URL          string   `arg:"" help:"The backup, as backup run printed it, or the destination and a name of backup list."`
	Queue        []string `placeholder:"NAME" help:"A queue of it; may be repeated. Default: all."`
	As           string   `placeholder:"NAME" help:"Give the queue another name."`
	Replace      []string `placeholder:"NAME" help:"A queue that may be replaced though it has documents; may be repeated."`
	SettingsOnly bool     `help:"Only the settings."`
	Identity     string   `type:"path" placeholder:"FILE" help:"The file with the private key of age, where the backup is encrypted."`
	Parallel     int      `default:"2" help:"Connections that write side by side, 1 to 16."`

	Installation        bool `help:"Users, tokens, dashboards, views and stars too, into an installation that has none."`
	ReplaceInstallation bool `help:"The same, and those that are there may go."`
}

// Validate refuses what no restore can be.
func (c restore) Validate() error {
	if c.Parallel < 1 || c.Parallel > 16 {
		return fmt.Errorf("--parallel is %d; 1 to 16 is allowed", c.Parallel)
	}
	return nil
}

// Run says which queues came back.
func (c restore) Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	secret, err := keys(c.Identity)
	if err != nil {
		return err
	}
	to, name, err := backup.Locate(c.URL)
	if err != nil {
		return err
	}
	return withStore(ctx, cfg, log, to, false, func(t *app.Tools, s *backup.Store) error {
		told := newTold()
		done, err := t.Backups(program()).Restore(ctx, s, name, backup.RestoreParams{
			Queues: c.Queue, As: c.As, Replace: c.Replace, SettingsOnly: c.SettingsOnly, Keys: secret, Workers: c.Parallel,
			Progress: told.progress, Installation: c.Installation || c.ReplaceInstallation, ReplaceInstallation: c.ReplaceInstallation,
		})
		told.end()
		if err != nil {
			return err
		}
		t.Audit.Done(ctx, audit.Entry{Action: audit.BackupRestore, Target: name, Details: map[string]any{
			"queues": c.Queue, "as": c.As, "replace": c.Replace, "settings_only": c.SettingsOnly, "installation": c.Installation || c.ReplaceInstallation,
		}})
		if c.Installation || c.ReplaceInstallation {
			fmt.Println("the installation is back: people sign in with the passwords that they had")
		}
		for _, r := range done {
			if c.SettingsOnly {
				fmt.Printf("%s has the settings of the backup\n", r.As)
			} else {
				fmt.Printf("%s is back with %d documents, and paused; look at its dates, then resume it\n", r.As, r.Documents)
			}
		}
		return nil
	})
}
