package backup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// team gives a world people, tokens and what they keep, and returns the text of a token.
func (w *world) team() string {
	w.t.Helper()
	users, tokens := auth.NewUsers(w.db, time.Now), auth.NewTokens(w.db, time.Now)
	if err := users.Bootstrap(w.t.Context(), "ann@example.org", "correct horse battery"); err != nil {
		w.t.Fatal(err)
	}
	if _, err := users.Create(w.t.Context(), "bob@example.org", "Bob \\N \"O'Neill\"", auth.RoleViewer); err != nil {
		w.t.Fatal(err)
	}
	_, text, err := tokens.Create(w.t.Context(), "crawler", []string{"work"}, []string{"a"}, nil, "ann@example.org")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, sql := range []string{
		`insert into fetchq.second_factors (user_id, secret, confirmed_at, last_step) select id, '\x00ff', now(), 7 from fetchq.users where email like 'bob%'`,
		`insert into fetchq.recovery_codes (user_id, hash, used_at) select user_id, '\x0badc0de', now() from fetchq.second_factors`,
		`insert into fetchq.identities (issuer, subject, user_id) select 'https://id.example.org', '0', id from fetchq.users where email like 'bob%'`,
		`insert into fetchq.passkeys (id, user_id, name, credential) select '\x00ff', id, 'a "phone"', '{"id": "AP8="}' from fetchq.users where email like 'ann%'`,
		`insert into fetchq.dashboards (id, name, charts, created_by) values (gen_random_uuid(), 'The "team"', array['a=1', 'b={2}'], 'ann@example.org')`,
		`insert into fetchq.views (id, queue, user_id, name, query) select gen_random_uuid(), 'a', id, 'mine', 'status=killed' from fetchq.users`,
		`insert into fetchq.backup_destinations (name, url, created_by) values ('offsite', 'file:///none', 'ann')`,
		`insert into fetchq.backup_schedules (name, destination, cron, zone, paused, created_by, next_run) values ('nightly', 'offsite', '@daily', 'UTC', true, 'ann', now())`,
		`insert into fetchq.stars (user_id, queue) select id, 'a' from fetchq.users`,
		`insert into fetchq.marks (at, text, queue, created_by) values (now(), 'v1', null, 'ann'), (now(), 'v2', null, 'ann'), (now(), 'of a queue', 'a', 'ann')`,
	} {
		w.exec(sql)
	}
	return text
}

// installation is all rows of a world's installation.
func (w *world) installation() map[string]string {
	all := map[string]string{}
	for _, table := range backup.Parts() {
		row := "t"
		if table == "marks" {
			row = "(at, text, queue, created_by)" // their numbers are anybody's
		}
		all[table] = w.text(`select string_agg(` + row + `::text, e'\n' order by ` + row + `::text) from fetchq.` + table + ` t`)
	}
	return all
}

func TestAnInstallationComesBack(t *testing.T) {
	t.Parallel()
	from, into := newWorld(t), newWorld(t)
	to, _ := folder(t)
	from.fill("a", `{}`, 30)
	token := from.team()
	want := from.installation()
	for table, rows := range want {
		if rows == "null" {
			t.Errorf("nothing stands in %s", table)
		}
	}
	m := mustRun(t, from, to, backup.RunParams{Installation: true})
	if _, err := from.b.Verify(t.Context(), to, m.Name, backup.VerifyParams{Load: true}); err != nil {
		t.Errorf("verify: %v", err)
	}
	into.exec(`insert into fetchq.links (hash, kind, expires_at) values ('x', 'setup', now() + interval '1 day')`)
	done, err := into.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Installation: true})
	if err != nil || len(done) != 1 {
		t.Fatalf("restored %+v, %v", done, err)
	}
	into.same("the installation", want, into.installation())
	users, tokens := auth.NewUsers(into.db, time.Now), auth.NewTokens(into.db, time.Now)
	if u, err := users.SignIn(t.Context(), "ann@example.org", "correct horse battery", "192.0.2.1"); err != nil || u.Role != auth.RoleAdmin {
		t.Errorf("the admin who signs in is %+v, %v", u, err)
	}
	if got, err := tokens.Authenticate(t.Context(), token, ""); err != nil || !slices.Equal(got.Queues, []string{"a"}) {
		t.Errorf("the token is %+v, %v", got, err)
	}
	if got := into.text(`select count(*)::text from fetchq.links`) + into.stages(); got != "00" {
		t.Errorf("links of the first admin, and stages, are left: %s", got)
	}
}

func TestAnInstallationThatIsThereIsReplacedWhenItIsSaid(t *testing.T) {
	t.Parallel()
	from, into := newWorld(t), newWorld(t)
	to, _ := folder(t)
	from.team()
	want := from.installation()
	m := mustRun(t, from, to, backup.RunParams{Installation: true}) // without a queue
	into.team()
	before := into.installation()
	if _, err := into.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Installation: true}); errs.Of(err) != errs.Exists {
		t.Errorf("into one that has users: %v", err)
	}
	into.same("the installation that is there", before, into.installation())
	if _, err := into.b.Restore(t.Context(), to, m.Name, backup.RestoreParams{Installation: true, ReplaceInstallation: true}); err != nil {
		t.Fatal(err)
	}
	got := into.installation()
	if strings.Count(got["marks"], "\n") != 4 { // those of both, but the one of the backup that is of a queue
		t.Errorf("the marks are %s", got["marks"])
	}
	delete(want, "marks")
	into.same("the installation", want, got)
}

// TestNothingOfAnInstallationComesByItself has backups and restores that do not ask for it.
func TestNothingOfAnInstallationComesByItself(t *testing.T) {
	t.Parallel()
	w, into := newWorld(t), newWorld(t)
	to, _ := folder(t)
	w.exec(`select fetchq.queue_create('a')`)
	w.team()
	queues, all := mustRun(t, w, to, backup.RunParams{Name: "queues"}), mustRun(t, w, to, backup.RunParams{Name: "all", Installation: true})
	if slices.ContainsFunc(queues.Members, func(m backup.Member) bool { return strings.HasPrefix(m.Name, "installation/") }) {
		t.Error("a backup of queues has users")
	}
	if _, err := into.b.Restore(t.Context(), to, queues.Name, backup.RestoreParams{Installation: true}); errs.Of(err) != errs.NotFound {
		t.Errorf("the installation of a backup of queues: %v", err)
	}
	if _, err := into.b.Restore(t.Context(), to, all.Name, backup.RestoreParams{}); err != nil {
		t.Fatal(err)
	}
	if got := into.text(`select (select count(*) from fetchq.users) || ' ' || (select count(*) from fetchq.tokens) || ' ' || (select count(*) from fetchq.queues)`); got != "0 0 1" {
		t.Errorf("users, tokens and queues: %s", got)
	}
}

// notOfAnInstallation are the tables that are of no queue and that no backup has; docs/backup-format.md says why.
var notOfAnInstallation = []string{
	"meta", "queues", // the manifest has the settings of queues
	"sessions", "links", "half_sign_ins", "passkey_sign_ins", "quiets", "quiet_state", "series_state", "series_partial", "renames", "operation_parts", "operation_failures", "operation_undo", "migrations",
	"backups", // a destination is asked what it has
}

// TestABackupKnowsEveryTableOfTheInstallation fails when a table comes of which nobody has said whether a backup keeps it.
func TestABackupKnowsEveryTableOfTheInstallation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.text(`select string_agg(c.relname, ' ' order by c.relname) from pg_class c where relnamespace = 'fetchq'::regnamespace and relkind in ('r', 'p')
		and not exists (select from pg_inherits where inhrelid = c.oid)
		and not exists (select from pg_attribute where attrelid = c.oid and attname = 'queue' and not attisdropped)`)
	for table := range strings.FieldsSeq(list) {
		if !slices.Contains(backup.Parts(), table) && !slices.Contains(notOfAnInstallation, table) {
			t.Errorf("a backup of the installation has nothing of fetchq.%s, and notOfAnInstallation does not name it", table)
		}
	}
}
