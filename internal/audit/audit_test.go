package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/errs"
)

// clock is a machine's clock that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newLog(t *testing.T) (*Log, *pgxpool.Pool, *clock) {
	t.Helper()
	db, c := dbtest.New(t), &clock{time.Now()}
	return New(db, Options{Log: slog.New(slog.DiscardHandler), Now: c.now}), db, c
}

func by(kind Kind, name string) context.Context {
	return With(context.Background(), NewTrail(Actor{kind, name}, "192.0.2.7", "req-1"))
}

func all(t *testing.T, l *Log) []Line {
	t.Helper()
	lines, _, err := l.List(t.Context(), Filter{}, MaxList, "")
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestALineSaysWhoWhatAndFromWhere(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	ctx := by(User, "ann@example.org")
	From(ctx).Note("reason", "deploy")
	if err := Write(ctx, db, Entry{Action: QueuePause, Target: "pages", Details: map[string]any{"kind": "soft"}}); err != nil {
		t.Fatal(err)
	}
	if !From(ctx).Written() {
		t.Error("the trail does not know of its line")
	}
	got := all(t, l)[0]
	want := Line{
		ActorKind: User, Actor: "ann@example.org", Action: QueuePause, Target: "pages", Outcome: "done", Times: 1, Address: "192.0.2.7", RequestID: "req-1",
		Details: got.Details, ID: got.ID, At: got.At,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || string(got.Details) != `{"kind": "soft", "reason": "deploy"}` {
		t.Errorf("%+v %s", got, got.Details)
	}
}

func TestALineThatIsNotCommittedIsNotThere(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	gone := errors.New("gone")
	err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		return errors.Join(Write(t.Context(), tx, Entry{Action: TokenRevoke}), gone)
	})
	if !errors.Is(err, gone) || len(all(t, l)) != 0 {
		t.Errorf("%v %v", err, all(t, l))
	}
}

func TestHostileAndLongTextsMakeALineAllTheSame(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	for _, text := range []string{"\x00\x1b[31m\xff", strings.Repeat("ä", 5000), strings.Repeat("a\"b:", 4000)} {
		e := Entry{Action: SignIn, Target: text, Address: text, RequestID: text, Details: map[string]any{"reason": text, "list": []string{text, text}}}
		if err := Write(by(Nobody, text), db, e); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	for _, line := range all(t, l) {
		if len(line.Target) > maxName || strings.ContainsAny(line.Target+line.Actor, "\x00\x1b") || len(line.Details) > 8192 {
			t.Errorf("%.100q %d", line.Target, len(line.Details))
		}
	}
}

func TestNobodyChangesALine(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	l.Done(by(User, "ann"), Entry{Action: QueueDrop, Target: "pages"})
	for _, sql := range []string{
		`update fetchq_audit.lines set actor = 'eve'`, `delete from fetchq_audit.lines`, `truncate fetchq_audit.lines`,
		`set fetchq.audit_trim = 'on'; delete from fetchq_audit.lines`,
	} {
		if _, err := db.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err == nil || !strings.Contains(err.Error(), "changes none") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if _, err := db.Exec(t.Context(), `insert into fetchq_audit.lines (at, actor_kind, actor, action, target, outcome, address, request_id)
		values ('2001-01-01', 'user', 'eve', 'x', '', 'done', '', '')`); err != nil {
		t.Fatal(err)
	}
	for _, line := range all(t, l) {
		if time.Since(line.At) > time.Hour {
			t.Errorf("a line says of itself that it is of %s", line.At)
		}
	}
}

// age makes lines that are so many days old, as only who owns the table can.
func age(t *testing.T, db *pgxpool.Pool, days ...int) {
	t.Helper()
	for _, d := range days {
		if _, err := db.Exec(t.Context(), fmt.Sprintf(`alter table fetchq_audit.lines disable trigger stamp;
			insert into fetchq_audit.lines (at, actor_kind, actor, action, target, outcome, address, request_id)
				values (clock_timestamp() - interval '%d days', 'user', 'ann', 'queue.drop', 'of day %d', 'done', '', '');
			alter table fetchq_audit.lines enable trigger stamp`, d, d), pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLinesAreRemovedWhenTheyAreOlderThanTheSettingAndNeverYoung(t *testing.T) {
	t.Parallel()
	l, db, c := newLog(t)
	age(t, db, 400, 100, 50, 20)
	left := func() (days []string) {
		for _, line := range all(t, l) {
			if line.Action == QueueDrop {
				days = append(days, strings.TrimPrefix(line.Target, "of day "))
			}
		}
		return days
	}
	keep := func(days int, want string) {
		t.Helper()
		if err := l.SetKeep(by(User, "ann"), days); err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(trimEvery)
		if err := l.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(left(), " "); got != want {
			t.Errorf("kept %d days: %s is left; want %s", days, got, want)
		}
	}
	keep(0, "20 50 100 400")
	keep(DefaultKeep, "20 50 100")
	keep(60, "20 50")
	keep(LeastKeep, "20")
	if err := l.SetKeep(t.Context(), 29); errs.Of(err) != errs.Invalid {
		t.Errorf("29 days: %v", err)
	}
	if _, err := db.Exec(t.Context(), `select fetchq_audit.trim('1 second')`); err == nil {
		t.Error("trim removes what is young")
	}
	lines, _, err := l.List(t.Context(), Filter{Action: AuditKeep}, 10, "")
	if err != nil || len(lines) != 4 || !strings.Contains(string(lines[0].Details), `{"is": 30, "was": 60}`) {
		t.Errorf("%v %s", err, lines[0].Details)
	}
}

// TestAnotherOwnerKeepsTheProgramsRoleFromChangingLines runs the statements of docs/audit.md as an administrator does, and then tries all that the
// program's role could do.
func TestAnotherOwnerKeepsTheProgramsRoleFromChangingLines(t *testing.T) {
	t.Parallel()
	_, db, _ := newLog(t)
	text, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sql\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("docs/audit.md has no statements")
	}
	suffix := strings.ReplaceAll(db.Config().ConnConfig.Database, "-", "_")
	app, keeper := "app_"+suffix, "keeper_"+suffix
	sql := strings.NewReplacer("fetchq_auditor", keeper, "fetchq_app", app).Replace(string(block[1]))
	run := func(sql string) error {
		_, err := db.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
		return err
	}
	t.Cleanup(func() {
		if _, err := db.Exec(context.Background(), fmt.Sprintf(`reset role; drop owned by %s, %s cascade; drop role %s, %s`, app, keeper, app, keeper),
			pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
	})
	if err := run(`create role ` + app + `; grant usage on schema fetchq to ` + app + `; grant select on fetchq.meta to ` + app); err != nil {
		t.Fatal(err)
	}
	if err := run(sql); err != nil {
		t.Fatalf("the statements of docs/audit.md: %v", err)
	}
	age(t, db, 400)
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_, _ = conn.Exec(context.Background(), `reset session authorization`)
		conn.Release()
	}()
	before, err := Protected(t.Context(), conn)
	if err != nil || before.Holds() {
		t.Errorf("a superuser: %+v %v", before, err)
	}
	if _, err := conn.Exec(t.Context(), `set session authorization `+app); err != nil {
		t.Fatal(err)
	}
	if p, err := Protected(t.Context(), conn); err != nil || !p.Holds() {
		t.Errorf("the program's role: %+v %v", p, err)
	}
	if err := Write(by(User, "ann"), conn, Entry{Action: QueueDrop, Target: "pages"}); err != nil {
		t.Errorf("it cannot add a line: %v", err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), `select count(*) from fetchq_audit.lines`).Scan(&n); err != nil || n != 2 {
		t.Errorf("it cannot read: %v %d", err, n)
	}
	for _, sql := range []string{
		`update fetchq_audit.lines set actor = 'eve'`, `delete from fetchq_audit.lines`, `truncate fetchq_audit.lines`, `drop table fetchq_audit.lines`,
		`drop schema fetchq_audit cascade`, `alter table fetchq_audit.lines disable trigger refuse`, `drop trigger refuse on fetchq_audit.lines`,
		`create or replace function fetchq_audit.refuse() returns trigger language plpgsql as 'begin return old; end'`,
		`set role ` + keeper, `insert into fetchq_audit.lines (at, actor_kind, actor, action, target, outcome, address, request_id) values
			('2001-01-01', 'user', 'eve', 'x', '', 'done', '', '')`,
		`create function fetchq_audit.mine() returns int language sql as 'select 1'`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err == nil || errs.Of(err) == errs.NotFound {
			t.Errorf("the program's role may: %s (%v)", sql, err)
		}
	}
	if err := conn.QueryRow(t.Context(), `select fetchq_audit.trim('365 days')`).Scan(&n); err != nil || n != 1 {
		t.Errorf("it cannot remove what is old: %v %d", err, n)
	}
}
