package web_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
)

// here makes a destination in a folder of the test's own by the form of the page, lets what is asked for be carried out, and returns the folder.
func (d *desk) here() string {
	d.t.Helper()
	dir := d.t.TempDir()
	form := d.get("/backups/destinations/new", http.StatusOK).form("form.form")
	form.Set("name", "here")
	form.Set("url", (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String())
	d.leads(d.post("/backups/destinations/new", form, http.StatusSeeOther), "/backups?tab=destinations").says(d.t, ".toast", "Made the destination here. Test it.")
	if err := d.backup.Start(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	return dir
}

// backUp makes a backup of queues by the form of the page, and returns the URL of its page.
func (d *desk) backUp(queues ...string) string {
	d.t.Helper()
	form := d.get("/backups/run", http.StatusOK).form("form.form")
	form["queue"] = queues
	form.Set("destination", "here")
	page := d.over(d.post("/backups/run", form, http.StatusSeeOther))
	page.says(d.t, ".head .status", "done")
	to, _ := page.Find("section[aria-labelledby=asked] dd.mono a").Attr("href")
	if !strings.HasPrefix(to, "/backups/at/here/fetchq-") {
		d.t.Fatalf("the backup is at %q", to)
	}
	return to
}

func TestThePageOfBackupsTeachesWhereThereAreNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	page := d.get("/backups", http.StatusOK)
	page.says(t, ".empty h2", "No destination yet")
	page.says(t, ".empty pre", "fetchq backup run --to")
	page.count(t, `.rail [aria-current=page][href="/backups"]`, 1)
	page.count(t, ".head button[disabled]", 1) // there is nowhere to back up to
	d.get("/backups?tab=schedules", http.StatusOK).says(t, ".empty h2", "No schedules yet")
	d.get("/backups?tab=destinations", http.StatusOK).says(t, ".empty h2", "No destination yet")
	d.get("/backups?tab=queues", http.StatusOK).says(t, `[data-queue="pages"]`, "never")
	d.get("/backups/at/nowhere/none", http.StatusNotFound)
	d.get("/backups?destination=nowhere", http.StatusOK)
}

func TestABackupIsMadeVerifiedAndRestoredOnThePages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	for _, subject := range []string{"a", "b", "c"} {
		d.put(subject, queue.Pending)
	}
	dir := d.here()
	d.get("/backups", http.StatusOK).says(t, "section[aria-labelledby=there]", "Nothing there yet")
	d.leads(d.post("/backups/destinations/here/test", nil, http.StatusSeeOther), "/backups?tab=destinations").says(t, ".toast", "Wrote, read, listed and deleted a file at here.")
	at := d.backUp("pages")
	name := at[strings.LastIndex(at, "/")+1:]
	if files, err := filepath.Glob(filepath.Join(dir, name+".*")); err != nil || len(files) != 2 {
		t.Fatalf("%v: %v", files, err)
	}
	list := d.get("/backups", http.StatusOK)
	list.says(t, `[data-backup="`+name+`"]`, "pages")
	list.says(t, `[data-backup="`+name+`"] [data-label=Documents]`, "3")
	list.says(t, `[data-backup="`+name+`"] [data-label=Verified]`, "never")
	list.says(t, "section[aria-labelledby=runs] [data-figures]", "packed to")
	page := d.get(at, http.StatusOK)
	page.says(t, `[data-part="pages"] [data-label=Documents]`, "3")
	page.says(t, `[data-part="pages"]`, "a queue of that name is there")
	page.says(t, "section[aria-labelledby=facts]", "ann@example.org")
	page.count(t, "[data-object]", 1)

	form := d.get(at+"/verify", http.StatusOK).form("form.form")
	form.Set("load", "yes")
	d.over(d.post(at+"/verify", form, http.StatusSeeOther)).says(t, ".head .status", "done")
	d.get(at, http.StatusOK).says(t, "section[aria-labelledby=facts]", "by ann@example.org: it is whole, and was loaded")

	// Under a new name.
	restore := url.Values{"queue": {"pages"}, "how": {"new"}, "as": {"again"}}
	preview := d.post(at+"/restore", restore, http.StatusOK)
	preview.says(t, "form.form p", "pages as again: a new queue with 3 documents.")
	form = preview.form("form.form")
	form["queue"] = []string{"pages"}
	page = d.over(d.post(at+"/restore", form, http.StatusSeeOther))
	page.says(t, `[data-restored="again"]`, "with 3 documents, paused")
	d.get("/queues/again", http.StatusOK).says(t, ".head", "paused")

	// Only the settings, of a queue that has documents.
	form = d.post(at+"/restore", url.Values{"how": {"settings"}}, http.StatusOK).form("form.form")
	d.over(d.post(at+"/restore", form, http.StatusSeeOther)).says(t, `[data-restored="pages"]`, "with the settings of the backup")
	page = d.get("/backups?tab=queues", http.StatusOK)
	page.count(t, `[data-queue="pages"] time`, 3)
	page.count(t, `[data-queue="other"] time`, 0)
}

func TestAQueueWithDocumentsIsReplacedOnlyWhereItsNameIsTyped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	d.put("a", queue.Pending)
	d.here()
	at := d.backUp("pages")
	d.put("b", queue.Pending)
	same := url.Values{"how": {"same"}}
	refused := d.post(at+"/restore", same, http.StatusUnprocessableEntity)
	refused.says(t, "form.form .notice", "It is refused: a queue with documents stands in its place.")
	refused.count(t, "form.form footer button", 0)
	same.Set("sure", "yes") // a form that was made up
	d.post(at+"/restore", same, http.StatusUnprocessableEntity)
	preview := d.post(at+"/restore", url.Values{"how": {"same"}, "replace": {"yes"}}, http.StatusOK)
	preview.says(t, "form.form", "the queue that is there has 2 documents. They would go, and 1 document of the backup come in their place.")
	form := preview.form("form.form")
	for _, typed := range []string{"", "page", "pages other"} {
		form.Set("confirm", typed)
		d.post(at+"/restore", form, http.StatusUnprocessableEntity).says(t, "form.form .notice", "The names were not typed as they are.")
	}
	if d.doc("b").Subject != "b" {
		t.Fatal("the queue was touched")
	}
	form.Set("confirm", "pages")
	d.over(d.post(at+"/restore", form, http.StatusSeeOther)).says(t, `[data-restored="pages"]`, "with 1 document, paused")
}

func TestFormsOfBackupsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	d.put("a", queue.Pending)
	d.here()
	at := d.backUp()
	for _, tt := range []struct {
		path     string
		form     url.Values
		selector string
		says     string
	}{
		{"/backups/destinations/new", url.Values{"name": {"here"}, "url": {"file:///x"}}, "#f-name-wrong", "There is a destination of this name."},
		{"/backups/destinations/new", url.Values{"name": {"b"}, "url": {"s3://a:b@c"}}, "#f-url-wrong", "There is a secret in the URL"},
		{"/backups/destinations/new", url.Values{"name": {"b"}, "url": {"file:///x"}, "keep_last": {"x"}}, "#f-keep_last-wrong", "is no whole number"},
		{"/backups/destinations/here/edit", url.Values{"url": {""}}, "#f-url-wrong", "A destination is a URL"},
		{"/backups/run", url.Values{"destination": {"nowhere"}}, "#f-destination-wrong", "There is no such destination."},
		{"/backups/run", url.Values{"destination": {"here"}, "queue": {"none"}}, "#queue-wrong", "There is no queue"},
		{"/backups/run", url.Values{"destination": {"here"}, "max_rate": {"fast"}}, "#f-max_rate-wrong", "is no number of megabytes"},
		{"/backups/schedules/new", url.Values{"name": {"n"}, "destination": {"here"}, "cron": {"often"}, "zone": {"UTC"}}, "#f-cron-wrong", "five fields are wanted"},
		{"/backups/schedules/new", url.Values{"name": {"n"}, "destination": {"here"}, "cron": {"@daily"}, "zone": {"Mars"}}, "#f-zone-wrong", "is no time zone"},
		{at + "/restore", url.Values{"how": {"new"}}, "#f-as-wrong", "A new name is wanted."},
		{at + "/restore", url.Values{"how": {"new"}, "as": {"x"}}, "#f-as-wrong", "One queue gets another name"},
		{at + "/restore", url.Values{"how": {"same"}, "as": {"x"}}, "#f-as-wrong", "Choose A new name above"},
		{at + "/restore", url.Values{"queue": {"none"}}, "#queue-wrong", "The backup has no queue"},
	} {
		page := d.post(tt.path, tt.form, http.StatusUnprocessableEntity)
		page.says(t, tt.selector, tt.says)
		if page.text(tt.selector) == "" {
			t.Errorf("%s with %v says: %s", tt.path, tt.form, page.text("form.form"))
		}
	}
}

func TestASecretOfADestinationIsTypedOnceAndNeverShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	form := d.get("/backups/destinations/new", http.StatusOK).form("form.form")
	for name, value := range map[string]string{"name": "offsite", "url": "s3://bucket?region=eu-central-1", "access_key": "AKIA1", "secret": "typed-secret", "session_token": "typed-token"} {
		form.Set(name, value)
	}
	page := d.post("/backups/destinations/new", form, http.StatusUnprocessableEntity)
	page.says(t, "#f-secret-wrong", "This server has no key to keep secrets under; set FETCHQ_SECRET_KEY")
	page.says(t, "#f-secret-help", "The secret itself cannot be kept")
	if err := d.backup.UseKey(siteKey); err != nil {
		t.Fatal(err)
	}
	made := d.leads(d.post("/backups/destinations/new", form, http.StatusSeeOther), "/backups?tab=destinations")
	made.says(t, `[data-destination="offsite"]`, "key AKIA1, secret sealed, set on "+time.Now().UTC().Format("2006-01-02"))
	edit := d.get("/backups/destinations/offsite/edit", http.StatusOK)
	edit.says(t, "#f-secret-help", "Secret sealed, set on")
	form = edit.form("form.form")
	if form.Get("access_key") != "AKIA1" {
		t.Errorf("the form has %v", form)
	}
	form.Set("keep_last", "3")
	d.leads(d.post("/backups/destinations/offsite/edit", form, http.StatusSeeOther), "/backups?tab=destinations").says(t, `[data-destination="offsite"]`, "secret sealed")
	form.Set("url", "s3://other")
	form.Set("session_token", "typed-token")
	wrong := d.post("/backups/destinations/offsite/edit", form, http.StatusUnprocessableEntity)
	form.Del("session_token")
	again := d.post("/backups/destinations/offsite/edit", form, http.StatusUnprocessableEntity)
	again.says(t, "#f-secret-wrong", "Type the secret again")
	form.Set("secret", "env:FETCHQ_BACKUP_S3_OFFSITE")
	kept := d.leads(d.post("/backups/destinations/offsite/edit", form, http.StatusSeeOther), "/backups?tab=destinations")
	kept.says(t, `[data-destination="offsite"]`, "key AKIA1, secret from env:FETCHQ_BACKUP_S3_OFFSITE")
	for i, p := range []reply{page, made, edit, wrong, again, kept} {
		if strings.Contains(p.body, "typed-") {
			t.Errorf("page %d shows a secret", i)
		}
	}
}

func TestAScheduleIsMadeChangedRunAndDeletedOnThePages(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	d.here()
	form := d.get("/backups/schedules/new", http.StatusOK).form("form.form")
	form.Set("name", "nightly")
	form.Set("destination", "here")
	form.Set("zone", "Europe/Berlin")
	page := d.leads(d.post("/backups/schedules/new", form, http.StatusSeeOther), "/backups?tab=schedules")
	page.says(t, `[data-schedule="nightly"]`, "30 2 * * * Europe/Berlin")
	page.says(t, `[data-schedule="nightly"]`, "all queues to here")
	if n := page.Find(`[data-schedule="nightly"] [data-label="Next run"] time`).Length(); n != 3 {
		t.Errorf("%d runs are told", n)
	}
	form = d.get("/backups/schedules/nightly/edit", http.StatusOK).form("form.form")
	form.Set("paused", "yes")
	form["queue"] = []string{"pages"}
	page = d.leads(d.post("/backups/schedules/nightly/edit", form, http.StatusSeeOther), "/backups?tab=schedules")
	page.says(t, `[data-schedule="nightly"]`, "pages to here")
	page.says(t, `[data-schedule="nightly"]`, "paused")
	d.over(d.post("/backups/schedules/nightly/run", nil, http.StatusSeeOther)).says(t, ".head .status", "done")
	d.post("/backups/destinations/here/delete", nil, http.StatusUnprocessableEntity).says(t, "form.form .notice", "The schedule nightly writes to it")
	d.get("/backups/schedules/nightly/delete", http.StatusOK).says(t, "form.form", "Those that it made stay")
	d.leads(d.post("/backups/schedules/nightly/delete", nil, http.StatusSeeOther), "/backups?tab=schedules").count(t, "[data-schedule]", 0)
	d.leads(d.post("/backups/destinations/here/delete", nil, http.StatusSeeOther), "/backups?tab=destinations").count(t, "[data-destination]", 0)
}

func TestADestinationThatIsAwayIsToldOnThePageAndTheRestOfItStands(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	dir := d.here()
	at := d.backUp()
	d.get("/backups", http.StatusOK).count(t, "[data-backup]", 1)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	d.get("/backups", http.StatusOK).count(t, "[data-backup]", 1) // as of a moment ago
	if _, err := d.backup.PutDestination(t.Context(), catalog.Destination{Name: "here", URL: (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()}, "ann"); err != nil {
		t.Fatal(err)
	}
	page := d.get("/backups", http.StatusOK)
	page.says(t, "section[aria-labelledby=there] .notice", "What is there cannot be listed:")
	page.count(t, "section[aria-labelledby=runs] [data-operation]", 1)
	d.get(at, http.StatusNotFound)
}

func TestAnOperatorSeesBackupsAndChangesNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	d.put("a", queue.Pending)
	d.here()
	at := d.backUp()
	for _, role := range []auth.Role{auth.RoleViewer, auth.RoleOperator} {
		other := d.as(string(role)+"@example.org", role)
		page := other.get("/backups", http.StatusOK)
		page.count(t, "[data-backup]", 1)
		page.says(t, ".head button[disabled]", "Back up now…")
		other.get("/backups?tab=destinations", http.StatusOK).count(t, "[data-destination] button[disabled]", 3)
		page = other.get(at, http.StatusOK)
		page.count(t, ".head button[disabled]", 2)
		page.count(t, ".head a", 0)
		for _, path := range []string{"/backups/run", "/backups/destinations/new", at + "/verify", at + "/restore"} {
			other.get(path, http.StatusForbidden)
		}
	}
	// A run is not an operator's to cancel, as others are.
	d.backup.Stop()
	o, err := d.backup.Run(t.Context(), catalog.Asks{Destination: "here"}, operations.Asked{By: "ann@example.org", As: "user"}, catalog.Repeat{})
	if err != nil {
		t.Fatal(err)
	}
	run := "/operations/" + o.ID.String()
	other := d.as("oscar@example.org", auth.RoleOperator)
	other.post(run+"/cancel", nil, http.StatusForbidden)
	other.get(run, http.StatusOK).count(t, "#cancel button[disabled]", 1)
	d.get(run+"/cancel", http.StatusOK).says(t, "form.form", "what was written of the backup is removed")
	d.leads(d.post(run+"/cancel", nil, http.StatusSeeOther), run).says(t, ".head .status", "canceled")
}

func TestABackupThatIsMissingPutsItsQueuesInTrouble(t *testing.T) {
	t.Parallel()
	d := newDesk(t, auth.RoleAdmin)
	if _, err := d.backup.PutDestination(t.Context(), catalog.Destination{Name: "here", URL: "file:///none"}, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.backup.PutSchedule(t.Context(), catalog.Schedule{Name: "hourly", Destination: "here", Queues: []string{"pages"}, Cron: "@hourly", Zone: "UTC"}, "ann"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.db.Exec(t.Context(), `update fetchq.backup_schedules set changed_at = clock_timestamp() - interval '3 hours'`); err != nil {
		t.Fatal(err)
	}
	page := d.get("/", http.StatusOK)
	page.says(t, `[data-trouble="pages"]`, "the schedule hourly: its backup is overdue since")
	page.count(t, "[data-trouble]", 1)
	page.says(t, "#trouble [data-n]", "1")
	d.get("/backups", http.StatusOK).says(t, `.notice[role="alert"]`, "The schedule hourly: its backup is overdue since")
}
