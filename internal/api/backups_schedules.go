package api

import (
	"cmp"
	"context"
	"net/http"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/wire"
)

func (s *Server) scheduleRoutes() {
	register(s, route{method: http.MethodGet, path: "/backup-schedules", needs: auth.See, summary: "List the schedules of backups"}, s.listSchedules)
	register(s, route{
		method: http.MethodPut, path: "/backup-schedules/{schedule}", needs: auth.Backup, summary: "Make a schedule of backups, or change it", body: client.BackupScheduleRequest{},
	}, s.putSchedule)
	register(s, route{
		method: http.MethodDelete, path: "/backup-schedules/{schedule}", needs: auth.Backup, status: http.StatusNoContent, summary: "Delete a schedule; its backups stay",
	}, s.deleteSchedule)
}

// InSchedule is the input of a call about one schedule.
type InSchedule struct {
	Schedule string `path:"schedule" maxLength:"40" doc:"1 to 40 of a-z, 0-9, - and _; begins with a letter."`
}

func (s *Server) listSchedules(ctx context.Context, _ *struct{}) (*out[client.BackupSchedulesResponse], error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	list, err := s.Catalog.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	return &out[client.BackupSchedulesResponse]{client.BackupSchedulesResponse{Schedules: each(list, s.clientSchedule)}}, nil
}

func (s *Server) clientSchedule(k catalog.Schedule) client.BackupSchedule {
	out := client.BackupSchedule{
		Name: k.Name, Destination: k.Destination, Queues: k.Queues, Cron: k.Cron, Zone: k.Zone, Verify: k.Verify, MaxRate: k.MaxRate, Paused: k.Paused,
		CreatedBy: k.CreatedBy, NextRun: clientTime(k.NextRun), GoodAt: optionalTime(k.GoodAt), Error: k.Error,
	}
	if k.Operation != nil {
		id := k.Operation.String()
		out.Operation = &id
	}
	_, out.Overdue = k.Overdue(s.Now())
	return out
}

func (s *Server) putSchedule(ctx context.Context, in *struct {
	InSchedule
	WithBody
}) (*out[client.BackupSchedule], error) {
	var body client.BackupScheduleRequest
	if err := wire.DecodeUpTo(in.sent.bytes, &body, 10_000); err != nil {
		return nil, err
	}
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	k, err := s.Catalog.PutSchedule(ctx, catalog.Schedule{
		Name: in.Schedule, Destination: body.Destination, Queues: body.Queues, Cron: body.Cron, Zone: cmp.Or(body.Zone, "UTC"), Verify: body.Verify, MaxRate: body.MaxRate,
		Paused: body.Paused,
	}, tokenOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	return &out[client.BackupSchedule]{s.clientSchedule(k)}, nil
}

func (s *Server) deleteSchedule(ctx context.Context, in *InSchedule) (*empty, error) {
	if err := unlimited(ctx); err != nil {
		return nil, err
	}
	return &empty{}, s.Catalog.DeleteSchedule(ctx, in.Schedule)
}
