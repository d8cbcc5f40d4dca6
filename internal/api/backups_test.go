package api_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fetchq/server/client"
)

// TestTheClientMakesABackupAndPutsItBack goes the whole circle by HTTP: a destination, a backup, what is in it, a look whether it is whole, what a
// restore would do, the restore, a schedule; and that whoever may not, can do none of it.
func TestTheClientMakesABackupAndPutsItBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.backups.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must(201, "PUT", "/api/v1/queues/a", `{}`)
	w.must(200, "POST", "/api/v1/queues/a/documents", `{"documents":[{"subject":"x","payload":{"n":1}},{"subject":"y","version":2}]}`)
	ctx, c := t.Context(), client.New(w.url, w.admin)
	url := "file://" + filepath.ToSlash(t.TempDir())
	d, err := c.PutBackupDestination(ctx, "disk", client.BackupDestinationRequest{URL: url, Keep: &client.BackupKeep{Last: 3}})
	if err != nil || d.Name != "disk" || d.URL != url || d.Keep == nil || d.Keep.Last != 3 {
		t.Fatalf("%+v, %v", d, err)
	}
	if err := c.TestBackupDestination(ctx, "disk"); err != nil {
		t.Error(err)
	}
	o, err := c.RunBackup(ctx, client.BackupRequest{Destination: "disk"})
	if err == nil {
		o, err = c.WaitOperation(ctx, o.ID)
	}
	if err != nil || o.State != client.OperationDone || o.Backup == nil || o.Backup.Name == "" || len(o.Backup.Objects) == 0 {
		t.Fatalf("%+v, %v", o, err)
	}
	var listed []client.Backup
	for b, err := range c.Backups(ctx, "disk") {
		if err != nil {
			t.Fatal(err)
		}
		listed = append(listed, b)
	}
	b, err := c.Backup(ctx, "disk", o.Backup.Name)
	if err != nil || len(listed) != 1 || listed[0].Name != b.Name || b.VerifiedAt != nil || b.Problem != "" || len(b.Queues) != 1 || b.Queues[0].Documents != 2 {
		t.Fatalf("%+v, %d are listed, %v", b, len(listed), err)
	}
	o, err = c.VerifyBackup(ctx, "disk", b.Name, client.VerifyRequest{Load: true})
	if err == nil {
		o, err = c.WaitOperation(ctx, o.ID)
	}
	if err != nil || o.State != client.OperationDone {
		t.Errorf("%+v, %v", o, err)
	}
	if b, err := c.Backup(ctx, "disk", b.Name); err != nil || b.VerifiedAt == nil || b.VerifyError != nil {
		t.Errorf("read back, it is %+v, %v", b, err)
	}
	preview, err := c.PreviewRestore(ctx, "disk", b.Name, client.RestoreRequest{})
	if err != nil || len(preview) != 1 || !preview[0].Exists || preview[0].Refused == "" {
		t.Errorf("over documents: %+v, %v", preview, err)
	}
	preview, err = c.PreviewRestore(ctx, "disk", b.Name, client.RestoreRequest{As: "b"})
	if err != nil || len(preview) != 1 || preview[0].Exists || preview[0].Refused != "" || preview[0].Documents != 2 {
		t.Errorf("under another name: %+v, %v", preview, err)
	}
	o, err = c.RestoreBackup(ctx, "disk", b.Name, client.RestoreRequest{As: "b"})
	if err == nil {
		o, err = c.WaitOperation(ctx, o.ID)
	}
	if err != nil || o.State != client.OperationDone || len(o.Backup.Restored) != 1 || o.Backup.Restored[0].Documents != 2 {
		t.Fatalf("%+v, %v", o, err)
	}
	if q, err := c.Queue(ctx, "b"); err != nil || !q.Paused || q.Counts.Pending != 2 {
		t.Errorf("%+v, %v", q, err)
	}
	s, err := c.PutBackupSchedule(ctx, "nightly", client.BackupScheduleRequest{Destination: "disk", Cron: "30 2 * * *", Zone: "Europe/Berlin"})
	if err != nil || s.Overdue || s.Zone != "Europe/Berlin" {
		t.Errorf("%+v, %v", s, err)
	}
	if list, err := c.BackupSchedules(ctx); err != nil || len(list) != 1 || list[0].Name != "nightly" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := c.DeleteBackupDestination(ctx, "disk"); client.CodeOf(err) != "exists" {
		t.Errorf("a destination that a schedule needs: %v", err)
	}
	if err := c.DeleteBackupSchedule(ctx, "nightly"); err != nil {
		t.Error(err)
	}
	if err := c.DeleteBackupDestination(ctx, "disk"); err != nil {
		t.Error(err)
	}
	if list, err := c.BackupDestinations(ctx); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestAKeyOfADestinationIsSentAndNeverShown goes by HTTP; what is typed where is in internal/catalog.
func TestAKeyOfADestinationIsSentAndNeverShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.backups.UseKey("a key of an installation for tests"); err != nil {
		t.Fatal(err)
	}
	const at = "/api/v1/backup-destinations/offsite"
	made := w.must(200, "PUT", at, `{"url":"s3://bucket?region=eu-central-1","access_key":"AKIA1","secret":"typed-secret","session_token":"typed-token"}`)
	list := w.must(200, "GET", "/api/v1/backup-destinations", "")
	for _, text := range []string{string(made.body), string(list.body)} {
		if !strings.Contains(text, `"access_key":"AKIA1","secret_kept":"sealed","secret_at":"`) || strings.Contains(text, "typed-") {
			t.Errorf("%s", text)
		}
	}
	for body, status := range map[string]int{
		`{"url":"s3://other","access_key":"AKIA1"}`: 422, `{"url":"s3://bucket","access_key":"AKIA2","secret":"typed secret"}`: 422,
		`{"url":"s3://bucket","access_key":"AKIA2","secret":"` + strings.Repeat("typed-", 60) + `"}`: 422, `{"url":"s3://bucket","access_key":"AKIA2","secret":["typed-secret"]}`: 400,
	} {
		if text := string(w.must(status, "PUT", at, body).body); strings.Contains(text, "typed") || !strings.Contains(text, `"field":"secret"`) {
			t.Errorf("%.100s: %s", body, text)
		}
	}
	named := client.BackupDestinationRequest{URL: "s3://bucket", AccessKey: "AKIA2", Secret: "env:FETCHQ_BACKUP_S3_OFFSITE"} //nolint:gosec // a name
	d, err := client.New(w.url, w.admin).PutBackupDestination(t.Context(), "offsite", named)
	if err != nil || d.AccessKey != "AKIA2" || d.SecretKept != "env:FETCHQ_BACKUP_S3_OFFSITE" || d.SecretAt == nil {
		t.Errorf("%+v, %v", d, err)
	}
}
