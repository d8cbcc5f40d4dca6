package browser_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/auth"
)

// destination makes a destination in a folder of the test's own.
func (s *site) destination(name, more string) (dir string) {
	s.t.Helper()
	dir = s.t.TempDir()
	s.api("PUT", "/backup-destinations/"+name, `{"url":`+quote((&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String())+more+`}`)
	return dir
}

// operated asks for something by the API and waits until it is over.
func (s *site) operated(path, body string) (name string) {
	s.t.Helper()
	var o struct {
		ID, State string
		Backup    struct{ Name string }
	}
	text := s.api("POST", path, body)
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			s.t.Fatal(err)
		}
		if o.State == "done" {
			return o.Backup.Name
		}
		if o.State != "waiting" && o.State != "running" || time.Now().After(deadline) {
			s.t.Fatalf("it is %s: %s", o.State, text)
		}
		text = s.api("GET", "/operations/"+o.ID, "")
	}
}

// backups are two destinations, one of which is away, with some backups and schedules.
func (s *site) backups() {
	s.t.Helper()
	s.destination("here", `,"keep":{"last":7,"weekly":4}`)
	s.api("PUT", "/backup-destinations/offsite", `{"url":"s3://backups/fetchq/production?region=eu-central-1&endpoint=http%3A%2F%2F127.0.0.1%3A9&use_path_style=true&anonymous=true"}`)
	s.operated("/backups", `{"destination":"here","queues":["pages","images"]}`)
	name := s.operated("/backups", `{"destination":"here"}`)
	s.backup = "/backups/at/here/" + name
	s.operated("/backups/here/"+name+"/verify", `{"load":true}`)
	s.operated("/backups/here/"+name+"/restore", `{"queues":["feeds"],"as":"feeds_of_the_backup"}`)
	s.api("PUT", "/backup-schedules/nightly", `{"destination":"here","cron":"30 2 * * *","zone":"Europe/Berlin","verify":true}`)
	s.api("PUT", "/backup-schedules/hourly-pages", `{"destination":"offsite","queues":["pages","images"],"cron":"@hourly"}`)
	s.exec(`update fetchq.backup_schedules set failed_at = clock_timestamp(), error = 'write at s3://backups/fetchq/production failed: it does not answer as it should' where name = 'hourly-pages'`)
}

// backupPlaces are the pages of backups.
func (s *site) backupPlaces() []place {
	dialog := func(selector, text string) func(p *tab) {
		return func(p *tab) {
			p.click(selector, text)
			p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
		}
	}
	listed := func(p *tab) { p.there("[data-backup]") }
	return []place{
		{name: "backups", path: "/backups?destination=here", role: auth.RoleAdmin, act: listed},
		{name: "backups-viewer", path: "/backups?destination=here", role: auth.RoleViewer, act: listed},
		{name: "backups-away", path: "/backups?destination=offsite", role: auth.RoleAdmin, act: func(p *tab) { p.see("What is there cannot be listed") }},
		{name: "backups-schedules", path: "/backups?tab=schedules", role: auth.RoleAdmin},
		{name: "backups-destinations", path: "/backups?tab=destinations", role: auth.RoleAdmin},
		{name: "backups-queues", path: "/backups?tab=queues", role: auth.RoleViewer},
		{name: "backups-run-dialog", path: "/backups?tab=", role: auth.RoleAdmin, act: dialog("a", "Back up now…")},
		{name: "backups-destination-new", path: "/backups/destinations/new", role: auth.RoleAdmin},
		{name: "backups-schedule-dialog", path: "/backups?tab=schedules", role: auth.RoleAdmin, act: dialog(`[data-schedule="nightly"] a`, "Edit…")},
		{name: "backup", path: s.backup, role: auth.RoleAdmin},
		{name: "backup-viewer", path: s.backup, role: auth.RoleViewer},
		{name: "backup-verify-dialog", path: s.backup, role: auth.RoleAdmin, act: dialog("a", "Verify…")},
		{name: "backup-restore-dialog", path: s.backup, role: auth.RoleAdmin, act: dialog("a", "Restore…")},
		{name: "backup-restore-preview", path: s.backup, role: auth.RoleAdmin, act: func(p *tab) {
			dialog("a", "Restore…")(p)
			p.click(`#dialog input[name="queue"][value="pages"]`, "")
			p.click(`#dialog input[name="replace"]`, "")
			p.click("#dialog button", "Preview…")
			p.see("What the restore would do")
		}},
		{name: "backup-run", path: "/backups?destination=here", role: auth.RoleAdmin, act: func(p *tab) {
			p.click("[data-operation] a", "Backup of all queues")
			p.see("Its files")
		}},
		{name: "backup-gone", path: "/backups/at/here/none", role: auth.RoleViewer, says: "status of 404"},
	}
}

// TestABackupIsMadeVerifiedAndRestoredWhileThePageLooks goes the whole way as an admin does, from the empty page.
func TestABackupIsMadeVerifiedAndRestoredWhileThePageLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	s.documents("pages", 50, `{"n":%d}`, "a%d", "")
	p := s.as(t, auth.RoleAdmin)
	p.visit("/")
	p.click(`.rail a[href="/backups"]`, "")
	p.see("No destination yet")
	p.click("a", "Make the first destination…")
	p.until("the dialog", `document.querySelector('#dialog[open] #f-name')`)
	p.fill("#f-name", "here")
	p.fill("#f-url", (&url.URL{Scheme: "file", Path: filepath.ToSlash(t.TempDir())}).String())
	p.click("#dialog button", "Make the destination")
	p.see("Made the destination here. Test it.")
	p.click(`[data-destination="here"] button`, "Test")
	p.see("Wrote, read, listed and deleted a file at here.")
	p.visit("/backups")
	p.click("a", "Back up now…")
	p.until("the dialog", `document.querySelector('#dialog[open] input[name="queue"]')`)
	p.click(`#dialog input[name="queue"][value="pages"]`, "")
	p.click("#dialog button", "Back up")
	p.see("The backup is asked for.", "done", "100 %", "Its files")
	p.click("section[aria-labelledby=asked] a", "fetchq-")
	p.see("What is inside")
	p.click("a", "Verify…")
	p.until("the dialog", `document.querySelector('#dialog[open] input[name="load"]')`)
	p.click("#dialog button", "Verify")
	p.see("The verification is asked for.", "done")
	p.click("section[aria-labelledby=asked] a", "fetchq-")
	p.see("it is whole")
	p.click("a", "Restore…")
	p.until("the dialog", `document.querySelector('#dialog[open] #f-as')`)
	p.click(`#dialog input[name="how"][value="new"]`, "")
	p.fill("#f-as", "again")
	p.click("#dialog button", "Preview…")
	p.see("pages as again: a new queue with 50 documents.")
	p.click("#dialog button", "Restore")
	p.see("The restore is asked for.", "with 50 documents, paused")
	if got := s.api("GET", "/queues/again", ""); !strings.Contains(got, `"pending":50`) || !strings.Contains(got, `"paused":true`) {
		t.Error(got)
	}
}

// TestARunShowsHowFarItIsAndIsCanceled watches a run that is slow enough to be seen.
func TestARunShowsHowFarItIsAndIsCanceled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.api("PUT", "/queues/pages", `{}`)
	for i := range 4 {
		s.documents("pages", 500, `{"n":%d,"text":"`+strings.Repeat("word ", 4000)+`"}`, fmt.Sprintf("a%d-%%d", i), "")
	}
	dir := s.destination("here", "")
	p := s.as(t, auth.RoleAdmin)
	s.api("POST", "/backups", `{"destination":"here","max_rate":2000000}`) // chunks of 8 MiB: four seconds each
	p.visit("/backups")
	p.until("progress in words", `/write: [0-9,]+ of about 2,000 rows, .* left/.test(document.querySelector('[data-figures]')?.textContent)`)
	p.click("[data-operation] a", "Cancel…")
	p.until("the dialog", `document.querySelector('#dialog[open] h1')`)
	p.see("what was written of the backup is removed")
	p.click("#dialog button", "Cancel the operation")
	p.see("Canceled.", "canceled")
	for deadline := time.Now().Add(patience); ; time.Sleep(pollEvery) {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v is left", files)
		}
	}
	p.visit("/backups")
	p.see("Nothing there yet")
}
