package catalog

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/operations"
)

func TestABackupIsMadeListedVerifiedAndRestoredAsOperations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.fill("pages", 300)
	w.fill("other", 5)
	if err := w.s.Test(ctx, "here"); err != nil {
		t.Fatal(err)
	}
	o := w.work(w.s.Run(ctx, Asks{Destination: "here"}, ann, Repeat{}))
	so := ToldOf(o)
	if o.State != operations.Done || so.Rows < 305 || so.Bytes == 0 || so.Stored == 0 || len(so.Objects) != 1 || len(so.Objects[0].SHA256) != 64 || o.Done != so.Rows {
		t.Fatalf("%+v: %+v", o, so)
	}
	p, err := w.s.List(ctx, "here", "", 10)
	if err != nil || len(p.Entries) != 1 || p.Next != "" {
		t.Fatalf("%+v: %v", p, err)
	}
	e := p.Entries[0]
	if e.Name != so.Name || e.Known == nil || *e.Known.MadeBy != "ann@example.org" || e.Known.VerifiedAt != nil || e.Problem != "" || len(e.Manifest.Queues) != 2 {
		t.Fatalf("%+v, known %+v", e.Entry, e.Known)
	}

	o = w.work(w.s.Verify(ctx, Asks{Destination: "here", Name: e.Name, Load: true}, ann, Repeat{}))
	if known, err := w.s.known(ctx, "here", []string{e.Name}); err != nil || o.State != operations.Done || known[e.Name].VerifiedAt == nil || !*known[e.Name].Loaded {
		t.Fatalf("%+v: %+v: %v", o, known, err)
	}

	ask := Asks{Destination: "here", Name: e.Name, Queues: []string{"pages"}}
	if _, err := w.s.Restore(ctx, ask, ann, Repeat{}); errs.Of(err) != errs.Exists || !strings.Contains(err.Error(), "pages has documents") {
		t.Errorf("the queue has documents: %v", err)
	}
	ask.As = "again"
	preview, err := w.s.Preview(ctx, ask)
	if err != nil || len(preview.Queues) != 1 || preview.Queues[0] != (PreviewQueue{Queue: "pages", As: "again", Documents: 300}) {
		t.Errorf("%+v: %v", preview, err)
	}
	o = w.work(w.s.Restore(ctx, ask, ann, Repeat{}))
	if back := ToldOf(o).Restored; o.State != operations.Done || !slices.Equal(back, []Restored{{"pages", "again", 300}}) {
		t.Fatalf("%s, %+v: %v", o.State, back, o.Error)
	}
	if q, err := w.engine.Get(ctx, "again"); err != nil || !q.Paused || q.Counts.Pending != 300 {
		t.Errorf("%+v: %v", q, err)
	}
	ask.As, ask.Replace = "", []string{"pages"}
	w.exec(`select fetchq.queue_truncate('pages'), count(*) from fetchq.doc_push_many('pages', array['x'])`)
	if o = w.work(w.s.Restore(ctx, ask, ann, Repeat{})); o.State != operations.Done || w.number(`select count(*) from q_pages.docs`) != 300 {
		t.Errorf("%s: %v", o.State, o.Error)
	}
	of, err := w.s.Queues(ctx)
	if err != nil || len(of) != 3 || of[0].Queue != "again" || of[0].Good != nil || of[2].Good == nil || of[2].Verified == nil || of[2].Restored == nil {
		t.Errorf("%+v: %v", of, err)
	}
}

func TestOneOfASortRunsAtATimeAndTheOthersStandInLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	name := w.made()
	ask := func(o operations.Operation, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return o.ID.String()
	}
	first := ask(w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{}))
	second := ask(w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{}))
	verify := ask(w.s.Verify(t.Context(), Asks{Destination: "here", Name: name}, ann, Repeat{}))
	if n := w.number(`select count(*) from fetchq.operation_claim('documents', 10)`); n != 0 {
		t.Errorf("%d are claimed by those who work on documents", n)
	}
	rows, err := w.db.Query(t.Context(), `select id::text from fetchq.backup_claim('a')`)
	if err != nil {
		t.Fatal(err)
	}
	claimed, err := pgx.CollectRows(rows, pgx.RowTo[string])
	slices.Sort(claimed)
	if want := slices.Sorted(slices.Values([]string{first, verify})); err != nil || !slices.Equal(claimed, want) {
		t.Errorf("claimed %v, %v is wanted: %v", claimed, want, err)
	}
	if n := w.number(`select count(*) from fetchq.backup_claim('b')`); n != 0 {
		t.Errorf("%d more are claimed; %s stands in line", n, second)
	}
}

func TestTheSameKeyIsTheSameBackup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	a, err := w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{Key: "k"})
	b, err2 := w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{Key: "k"})
	if err != nil || err2 != nil || a.ID != b.ID {
		t.Errorf("%v and %v: %v, %v", a.ID, b.ID, err, err2)
	}
	if _, err := w.s.Run(t.Context(), Asks{Destination: "here", Verify: true}, ann, Repeat{Key: "k"}); errs.Of(err) != errs.Invalid {
		t.Errorf("another request under the same key: %v", err)
	}
}

func TestARunThatIsCanceledLeavesNothingAtItsDestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 3000)
	w.exec(`update q_pages.docs set payload = to_jsonb(repeat(md5(subject), 100))`)
	o, err := w.s.Run(t.Context(), Asks{Destination: "here", MaxRate: 2000}, ann, Repeat{}) // would take an hour
	if err != nil {
		t.Fatal(err)
	}
	if err := w.s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wait := func(what string, so func() bool) {
		t.Helper()
		for ; !so(); time.Sleep(10 * time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatal(what)
			}
		}
	}
	wait("it does not begin", func() bool {
		return w.number(`select count(*) from fetchq.operations where told ->> 'phase' = 'write'`) > 0
	})
	if o, err = w.jobs.Cancel(t.Context(), o.ID, "ann"); err != nil || o.State != operations.Canceled {
		t.Fatalf("%s: %v", o.State, err)
	}
	wait("it goes on", func() bool {
		w.s.mu.Lock()
		defer w.s.mu.Unlock()
		return len(w.s.running) == 0
	})
	if files := w.files(); len(files) != 0 {
		t.Errorf("%v is left", files)
	}
	if o = w.get(o); o.State != operations.Canceled || w.number(`select count(*) from fetchq.backups`) != 0 {
		t.Errorf("%s", o.State)
	}
}

// dead makes an operation one of a node that died in it, with a backup of a name.
func (w *world) dead(o operations.Operation, name string) {
	w.t.Helper()
	w.exec(`update fetchq.operations set state = 'running', claimed_by = 'dead', claimed_until = clock_timestamp() - interval '1 second', started_at = clock_timestamp(),
		told = jsonb_build_object('name', $2::text) where id = $1`, o.ID, name)
}

func TestWhatANodeLeftBehindWhenItDiedIsRemovedAndTheBackupMadeByAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 10)
	o, err := w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{})
	if err != nil {
		t.Fatal(err)
	}
	w.dead(o, "fetchq-half")
	if err := os.WriteFile(filepath.Join(w.dir, "fetchq-half.tar.zst"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	o = w.work(o, nil)
	if so := ToldOf(o); o.State != operations.Done || so.Name == "fetchq-half" || len(w.files()) != 2 {
		t.Errorf("%s: %+v, %v", o.State, so, w.files())
	}
}

func TestABackupThatWasWholeWhenItsNodeDiedIsTheOneThatWasAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 10)
	name := w.made()
	o, err := w.s.Run(t.Context(), Asks{Destination: "here"}, ann, Repeat{})
	if err != nil {
		t.Fatal(err)
	}
	w.dead(o, name)
	o = w.work(o, nil)
	if so := ToldOf(o); o.State != operations.Done || so.Name != name || len(w.files()) != 2 || so.Rows == 0 {
		t.Errorf("%s: %+v, %v", o.State, so, w.files())
	}
}

func TestARestoreThatWasCanceledChangesNothingHoweverFarItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 10)
	name := w.made()
	o, err := w.s.Restore(t.Context(), Asks{Destination: "here", Name: name, As: "again"}, ann, Repeat{})
	if err != nil {
		t.Fatal(err)
	}
	w.exec(`select fetchq.backup_claim($1)`, w.s.Node)
	if _, err := w.jobs.Cancel(t.Context(), o.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	// The node has not heard of it when it comes to the swap.
	late := &try{s: w.s, claim: claim{ID: o.ID, Action: operations.Restore, Asks: AsksOf(o), AskedBy: "ann", AskedAs: "user"}, log: w.s.Log, began: w.s.Now()}
	if err := late.restore(context.WithoutCancel(t.Context())); errs.Of(err) != errs.Stale {
		t.Errorf("%v", err)
	}
	if n := w.number(`select count(*) from fetchq.queues where name = 'again'`); n != 0 {
		t.Error("the queue is there")
	}
}

func TestADamagedBackupIsFoundByVerificationAndSaysSoAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 100)
	name := w.made()
	file := filepath.Join(w.dir, name+".tar.zst")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o600); err != nil { //nolint:gosec // in a folder of the test's own
		t.Fatal(err)
	}
	o := w.work(w.s.Verify(t.Context(), Asks{Destination: "here", Name: name}, ann, Repeat{}))
	known, err := w.s.known(t.Context(), "here", []string{name})
	if b := known[name]; err != nil || o.State != operations.Failed || b.Problem == nil || b.VerifiedAt == nil || o.Error == nil {
		t.Errorf("%s, %+v: %v", o.State, b, err)
	}
	if of, err := w.s.Queues(t.Context()); err != nil || of[0].Good != nil || of[0].Verified != nil {
		t.Errorf("%+v: %v", of, err)
	}
}

func TestRetentionRemovesWhatNeedNotBeKeptAfterAGoodRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	if _, err := w.s.PutDestination(t.Context(), Destination{Name: "here", URL: w.url(), Keep: backup.Keep{Last: 2}}, "ann"); err != nil {
		t.Fatal(err)
	}
	names := []string{w.made(), w.made(), w.made()}
	p, err := w.s.List(t.Context(), "here", "", 10)
	if err != nil || len(p.Entries) != 2 {
		t.Fatalf("%+v: %v", p, err)
	}
	known, err := w.s.known(t.Context(), "here", names)
	if err != nil || known[names[0]].GoneAt == nil || known[names[1]].GoneAt != nil || known[names[2]].GoneAt != nil {
		t.Errorf("%+v: %v", known, err)
	}
	if d, err := w.s.Destination(t.Context(), "here"); err != nil || d.PrunedAt == nil || d.PruneError != nil {
		t.Errorf("%+v: %v", d, err)
	}
}

func TestABackupIsEncryptedToItsRecipientsAndReadWithAKeyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 10)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	d := Destination{Name: "here", URL: w.url(), Recipients: []string{key.Recipient().String()}}
	if _, err := w.s.PutDestination(t.Context(), d, "ann"); err != nil {
		t.Fatal(err)
	}
	name := w.made()
	text, err := os.ReadFile(filepath.Join(w.dir, name+".tar.zst.age"))
	if err != nil || !bytes.HasPrefix(text, []byte("age-encryption.org")) {
		t.Fatalf("%.40q: %v", text, err)
	}
	ask := Asks{Destination: "here", Name: name}
	if _, err := w.s.Verify(t.Context(), ask, ann, Repeat{}); errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "names no variable") {
		t.Errorf("without a variable: %v", err)
	}
	d.Identity = VariablePrefix + "KEY"
	if _, err := w.s.PutDestination(t.Context(), d, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Verify(t.Context(), ask, ann, Repeat{}); errs.Of(err) != errs.Invalid || !strings.Contains(err.Error(), "is not set") {
		t.Errorf("the variable is not set: %v", err)
	}
	w.s = w.node("other", map[string]string{VariablePrefix + "KEY": key.String()})
	if o := w.work(w.s.Verify(t.Context(), ask, ann, Repeat{})); o.State != operations.Done {
		t.Errorf("%s: %v", o.State, o.Error)
	}
}
