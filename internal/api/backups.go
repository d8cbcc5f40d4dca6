package api

import (
	"context"
	"crypto/sha256"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) backupRoutes() {
	s.destinationRoutes()
	s.scheduleRoutes()
	register(s, route{method: http.MethodGet, path: "/backups", needs: auth.See, summary: "List the backups that a destination has, newest first"}, s.listBackups)
	register(s, route{
		method: http.MethodPost, path: "/backups", needs: auth.Backup, status: http.StatusAccepted, summary: "Back queues up in the background", body: client.BackupRequest{},
	}, s.createBackup)
	register(s, route{method: http.MethodGet, path: "/backups/{destination}/{backup}", needs: auth.See, summary: "Show what is in a backup"}, s.getBackup)
	register(s, route{
		method: http.MethodPost, path: "/backups/{destination}/{backup}/verify", needs: auth.Backup, status: http.StatusAccepted,
		summary: "Read a backup back in the background, and hold it against its digests", body: client.VerifyRequest{},
	}, s.verifyBackup)
	register(s, route{
		method: http.MethodPost, path: "/backups/{destination}/{backup}/preview", needs: auth.Backup, summary: "Tell what a restore would do", body: client.RestoreRequest{},
	}, s.previewRestore)
	register(s, route{
		method: http.MethodPost, path: "/backups/{destination}/{backup}/restore", needs: auth.Backup, status: http.StatusAccepted,
		summary: "Put queues of a backup back in the background", body: client.RestoreRequest{},
	}, s.restoreBackup)
}

// unlimited refuses tokens that are limited to some queues: backups are of all, and so are their names.
func unlimited(ctx context.Context) error {
	if tokenOf(ctx).Queues != nil {
		return &errs.Error{Code: errs.Forbidden, Message: "the token is limited to some queues, and backups are not"}
	}
	return nil
}

// InBackup is the input of a call about one backup.
type InBackup struct {
	Destination string `path:"destination" maxLength:"40"`
	Backup      string `path:"backup" maxLength:"100"`
}

func (s *Server) listBackups(ctx context.Context, in *struct {
	Destination string `query:"destination" required:"true" maxLength:"40" doc:"Which has them. It is asked itself, and may take its time: up to 20 seconds."`
	Limit       int    `query:"limit" default:"50" minimum:"1" maximum:"100"`
	Cursor      string `query:"cursor"`
}) (*out[client.BackupsResponse], error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	before := ""
	if in.Cursor != "" {
		parts, err := wire.DecodeCursor(in.Cursor, 1)
		if err != nil {
			return nil, errs.Field("cursor", "is not one that this list gave; ask again without it")
		}
		before = parts[0]
	}
	p, err := s.Catalog.List(ctx, in.Destination, before, in.Limit)
	if err != nil {
		return nil, err
	}
	next := ""
	if p.Next != "" {
		next = wire.EncodeCursor(p.Next)
	}
	answer := client.BackupsResponse{NextCursor: cursor(next), Backups: each(p.Entries, func(e catalog.Entry) client.Backup { return clientBackup(in.Destination, e) })}
	return &out[client.BackupsResponse]{answer}, nil
}

func (s *Server) getBackup(ctx context.Context, in *InBackup) (*out[client.Backup], error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	e, err := s.Catalog.Show(ctx, in.Destination, in.Backup)
	if err != nil {
		return nil, err
	}
	return &out[client.Backup]{clientBackup(in.Destination, e)}, nil
}

func clientBackup(destination string, e catalog.Entry) client.Backup {
	m := e.Manifest
	b := client.Backup{
		Name: e.Name, Destination: destination, Problem: e.Problem, Program: m.Program, Postgres: m.Postgres, Encrypted: m.Encryption != "", Rows: m.Rows(), Stored: m.Stored(),
		Queues: each(m.Queues, clientBackupQueue),
	}
	if !m.SnapshotAt.IsZero() {
		b.SnapshotAt, b.FinishedAt = optionalTime(&m.SnapshotAt), optionalTime(&m.FinishedAt)
	}
	if k := e.Known; k != nil {
		b.MadeBy, b.VerifiedAt, b.VerifyError, b.RestoredAt = k.MadeBy, optionalTime(k.VerifiedAt), k.Problem, optionalTime(k.RestoredAt)
	}
	return b
}

func clientBackupQueue(q backup.Queue) client.BackupQueue {
	out := client.BackupQueue{Name: q.Name, Documents: q.Documents()}
	for _, t := range q.Tables {
		out.Rows, out.Bytes = out.Rows+t.Rows, out.Bytes+t.Bytes
	}
	return out
}

// repeat makes a request safe to repeat. What stands in its path is a part of what is asked.
func repeat(ctx context.Context, key, path string, body []byte) catalog.Repeat {
	sum := sha256.Sum256(append([]byte(path+"\n"), body...))
	return catalog.Repeat{Key: ownKey(ctx, key), Print: sum[:]}
}

func (s *Server) createBackup(ctx context.Context, in *struct {
	WithBody
	InKey
}) (*out[client.Operation], error) {
	var body client.BackupRequest
	if err := wire.DecodeUpTo(in.sent.bytes, &body, 10_000); err != nil {
		return nil, err
	}
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	a := catalog.Asks{Destination: body.Destination, Queues: body.Queues, MaxRate: body.MaxRate, Verify: body.Verify}
	o, err := s.Catalog.Run(ctx, a, s.asked(ctx), repeat(ctx, in.Key, "backup", in.sent.bytes))
	if err != nil {
		return nil, err
	}
	return &out[client.Operation]{clientOperation(o)}, nil
}

func (s *Server) verifyBackup(ctx context.Context, in *struct {
	InBackup
	WithBody
	InKey
}) (*out[client.Operation], error) {
	var body client.VerifyRequest
	if err := decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	a := catalog.Asks{Destination: in.Destination, Name: in.Backup, Load: body.Load}
	o, err := s.Catalog.Verify(ctx, a, s.asked(ctx), repeat(ctx, in.Key, in.Destination+"/"+in.Backup, in.sent.bytes))
	if err != nil {
		return nil, err
	}
	return &out[client.Operation]{clientOperation(o)}, nil
}

// restoreAsks reads what a restore is asked for.
func restoreAsks(ctx context.Context, in InBackup, sent []byte) (catalog.Asks, error) {
	var body client.RestoreRequest
	if len(sent) > 0 {
		if err := wire.DecodeUpTo(sent, &body, 10_000); err != nil {
			return catalog.Asks{}, err
		}
	}
	return catalog.Asks{
		Destination: in.Destination, Name: in.Backup, Queues: body.Queues, As: body.As, Replace: body.Replace, SettingsOnly: body.SettingsOnly,
	}, unlimited(ctx)
}

func (s *Server) previewRestore(ctx context.Context, in *struct {
	InBackup
	WithBody
}) (*out[client.RestorePreview], error) {
	a, err := restoreAsks(ctx, in.InBackup, in.sent.bytes)
	if err != nil {
		return nil, err
	}
	p, err := s.Catalog.Preview(ctx, a)
	if err != nil {
		return nil, err
	}
	return &out[client.RestorePreview]{client.RestorePreview{Queues: each(p.Queues, func(q catalog.PreviewQueue) client.RestorePreviewQueue {
		return client.RestorePreviewQueue{Queue: q.Queue, As: q.As, Documents: q.Documents, Exists: q.There, Now: q.Now, Refused: q.Refused}
	})}}, nil
}

func (s *Server) restoreBackup(ctx context.Context, in *struct {
	InBackup
	WithBody
	InKey
}) (*out[client.Operation], error) {
	a, err := restoreAsks(ctx, in.InBackup, in.sent.bytes)
	if err != nil {
		return nil, err
	}
	o, err := s.Catalog.Restore(ctx, a, s.asked(ctx), repeat(ctx, in.Key, in.Destination+"/"+in.Backup, in.sent.bytes))
	if err != nil {
		return nil, err
	}
	return &out[client.Operation]{clientOperation(o)}, nil
}
