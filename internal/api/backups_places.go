package api

import (
	"context"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) destinationRoutes() {
	register(s, route{method: http.MethodGet, path: "/backup-destinations", needs: auth.See, summary: "List the destinations of backups"}, s.listDestinations)
	register(s, route{
		method: http.MethodPut, path: "/backup-destinations/{destination}", needs: auth.Backup, summary: "Make a destination of backups, or change it",
		body: client.BackupDestinationRequest{},
	}, s.putDestination)
	register(s, route{
		method: http.MethodDelete, path: "/backup-destinations/{destination}", needs: auth.Backup, status: http.StatusNoContent,
		summary: "Forget a destination; its backups stay where they are",
	}, s.deleteDestination)
	register(s, route{
		method: http.MethodPost, path: "/backup-destinations/{destination}/test", needs: auth.Backup, status: http.StatusNoContent,
		summary: "Write, read, list and delete a small object at a destination",
	}, s.testDestination)
}

// InDestination is the input of a call about one destination.
type InDestination struct {
	Destination string `path:"destination" maxLength:"40" doc:"1 to 40 of a-z, 0-9, - and _; begins with a letter."`
}

func (s *Server) listDestinations(ctx context.Context, _ *struct{}) (*out[client.BackupDestinationsResponse], error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	list, err := s.Catalog.Destinations(ctx)
	if err != nil {
		return nil, err
	}
	return &out[client.BackupDestinationsResponse]{client.BackupDestinationsResponse{Destinations: each(list, clientDestination)}}, nil
}

func clientDestination(d catalog.Destination) client.BackupDestination {
	out := client.BackupDestination{
		Name: d.Name, URL: d.URL, Recipients: d.Recipients, Identity: d.Identity, CreatedAt: clientTime(d.CreatedAt), CreatedBy: d.CreatedBy,
		AccessKey: d.AccessKey, SecretKept: d.Secret, SecretAt: optionalTime(d.SecretAt), TestedAt: optionalTime(d.TestedAt), TestError: d.TestError, PrunedAt: optionalTime(d.PrunedAt), PruneError: d.PruneError,
	}
	if d.Keeps() {
		out.Keep = &client.BackupKeep{Last: d.Keep.Last, Daily: d.Keep.Daily, Weekly: d.Keep.Weekly, Monthly: d.Keep.Monthly}
	}
	return out
}

func (s *Server) putDestination(ctx context.Context, in *struct {
	InDestination
	WithBody
}) (*out[client.BackupDestination], error) {
	var body client.BackupDestinationRequest
	if err := wire.Decode(in.sent.bytes, &body); err != nil {
		return nil, err
	}
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	d := catalog.Destination{
		Name: in.Destination, URL: body.URL, Recipients: body.Recipients, Identity: body.Identity, AccessKey: body.AccessKey,
		Typed: catalog.Typed{Secret: body.Secret, Token: body.SessionToken},
	}
	if k := body.Keep; k != nil {
		d.Keep = backup.Keep{Last: k.Last, Daily: k.Daily, Weekly: k.Weekly, Monthly: k.Monthly}
	}
	d, err := s.Catalog.PutDestination(ctx, d, tokenOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &out[client.BackupDestination]{clientDestination(d)}, nil
}

func (s *Server) deleteDestination(ctx context.Context, in *InDestination) (*empty, error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	return &empty{}, s.Catalog.DeleteDestination(ctx, in.Destination)
}

func (s *Server) testDestination(ctx context.Context, in *InDestination) (*empty, error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	return &empty{}, s.Catalog.Test(ctx, in.Destination)
}

// backupProgress is what an operation on backups was asked for, and how far it is.
func backupProgress(o operations.Operation) *client.BackupProgress {
	a, t := catalog.AsksOf(o), catalog.ToldOf(o)
	p := &client.BackupProgress{
		Destination: a.Destination, Name: a.Name, Queues: a.Queues, Schedule: a.Schedule, Phase: t.Phase, Rows: t.Rows, RowsTotal: t.Total, Bytes: t.Bytes,
		Stored: t.Stored, Millis: t.Millis,
		Objects: each(t.Objects, func(v catalog.Object) client.BackupObject {
			return client.BackupObject{Object: v.Name, Bytes: v.Bytes, SHA256: v.SHA256}
		}),
		Restored: each(t.Restored, func(r catalog.Restored) client.BackupRestored { return client.BackupRestored(r) }),
	}
	if t.Name != "" {
		p.Name = t.Name
	}
	if left, known := t.Left(); known && !o.Over() {
		ms := left.Milliseconds()
		p.MillisLeft = &ms
	}
	return p
}
