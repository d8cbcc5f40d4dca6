package client

import (
	"context"
	"crypto/rand"
	"iter"
	"net/http"
)

// Backups are of all queues: calls about them want a token that is not limited to some.

// BackupDestinations lists where backups go. Right: read.
func (c *Client) BackupDestinations(ctx context.Context) ([]BackupDestination, error) {
	var out BackupDestinationsResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/backup-destinations", safe: true}, &out)
	return out.Destinations, err
}

// PutBackupDestination makes a destination, or changes it. Right: admin.
func (c *Client) PutBackupDestination(ctx context.Context, name string, in BackupDestinationRequest) (d BackupDestination, err error) {
	_, err = c.do(ctx, call{method: http.MethodPut, path: "/backup-destinations/" + segment(name), body: in, safe: true}, &d)
	return d, err
}

// DeleteBackupDestination forgets a destination; what it has stays there. Right: admin.
func (c *Client) DeleteBackupDestination(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/backup-destinations/" + segment(name)}, nil)
	return err
}

// TestBackupDestination writes, reads, lists and deletes a probe there. The error says which of these failed, and why. Right: admin.
func (c *Client) TestBackupDestination(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodPost, path: "/backup-destinations/" + segment(name) + "/test"}, nil)
	return err
}

// BackupSchedules lists the schedules of backups, and how each stands. Right: read.
func (c *Client) BackupSchedules(ctx context.Context) ([]BackupSchedule, error) {
	var out BackupSchedulesResponse
	_, err := c.do(ctx, call{method: http.MethodGet, path: "/backup-schedules", safe: true}, &out)
	return out.Schedules, err
}

// PutBackupSchedule makes a schedule, or changes it. Right: admin.
func (c *Client) PutBackupSchedule(ctx context.Context, name string, in BackupScheduleRequest) (s BackupSchedule, err error) {
	_, err = c.do(ctx, call{method: http.MethodPut, path: "/backup-schedules/" + segment(name), body: in, safe: true}, &s)
	return s, err
}

// DeleteBackupSchedule deletes a schedule; its backups stay. Right: admin.
func (c *Client) DeleteBackupSchedule(ctx context.Context, name string) error {
	_, err := c.do(ctx, call{method: http.MethodDelete, path: "/backup-schedules/" + segment(name)}, nil)
	return err
}

// Backups lists what a destination has, the newest first, page by page as the loop goes on. An error ends the loop. Right: read.
func (c *Client) Backups(ctx context.Context, destination string) iter.Seq2[Backup, error] {
	return list(ctx, c, "/backups", values("destination", destination, "limit", "50"), func(p BackupsResponse) ([]Backup, *string) { return p.Backups, p.NextCursor })
}

// Backup tells what is in a backup. Right: read.
func (c *Client) Backup(ctx context.Context, destination, name string) (b Backup, err error) {
	_, err = c.do(ctx, call{method: http.MethodGet, path: backupPath(destination, name, ""), safe: true}, &b)
	return b, err
}

// RunBackup asks for a backup, in the background; see WaitOperation, whose Backup names it. Right: admin. It is repeated after a broken
// connection: a second try finds the operation of the first. So are VerifyBackup and RestoreBackup.
func (c *Client) RunBackup(ctx context.Context, in BackupRequest) (Operation, error) {
	return c.askOnce(ctx, "/backups", in)
}

// VerifyBackup asks for a backup to be read back and held against its digests. Right: admin.
func (c *Client) VerifyBackup(ctx context.Context, destination, name string, in VerifyRequest) (Operation, error) {
	return c.askOnce(ctx, backupPath(destination, name, "/verify"), in)
}

// PreviewRestore tells what a restore would do, without doing it. Right: admin.
func (c *Client) PreviewRestore(ctx context.Context, destination, name string, in RestoreRequest) ([]RestorePreviewQueue, error) {
	var out RestorePreview
	_, err := c.do(ctx, call{method: http.MethodPost, path: backupPath(destination, name, "/preview"), body: in, safe: true}, &out)
	return out.Queues, err
}

// RestoreBackup asks for queues of a backup to be put back; they come back paused. Right: admin.
func (c *Client) RestoreBackup(ctx context.Context, destination, name string, in RestoreRequest) (Operation, error) {
	return c.askOnce(ctx, backupPath(destination, name, "/restore"), in)
}

// askOnce asks for an operation, under a key of its own.
func (c *Client) askOnce(ctx context.Context, path string, body any) (o Operation, err error) {
	ask := call{method: http.MethodPost, path: path, body: body, safe: true, header: http.Header{"Idempotency-Key": {rand.Text()}}}
	_, err = c.do(ctx, ask, &o)
	return o, err
}

func backupPath(destination, name, rest string) string {
	return "/backups/" + segment(destination) + "/" + segment(name) + rest
}
