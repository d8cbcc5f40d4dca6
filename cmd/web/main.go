// Command fetchq serves document queues on Postgres.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	osuser "os/user"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/config"
)

// version is set by the build.
var version string

type commands struct {
	config.Config

	Serve   serve     `cmd:"" default:"1" settings:"all" help:"Serve until Ctrl-C; this is what fetchq does without a command."`
	Migrate migrate   `cmd:"" settings:"data-dir,database-url,listen-url" help:"Bring the database up to date; a private Postgres is made where there is none."`
	Token   token     `cmd:"" help:"Make, list and revoke tokens for the API."`
	User    user      `cmd:"" settings:"data-dir,database-url,listen,base-url,tls-cert,tls-key" help:"Add, list and change the people who may sign in, and make their one-time links."`
	Mark    mark      `cmd:"" help:"Note an event that charts show as a line, such as a deploy: fetchq mark v1.2.3"`
	Backup  backups   `cmd:"" help:"Write backups to a folder or a bucket; list, verify and prune them."`
	Restore restore   `cmd:"" help:"Put queues of a backup back. They come back paused."`
	Bench   benchmark `cmd:"" help:"Measure pushes, picks and resolutions by SQL and HTTP, in queues of its own."`
	Doctor  doctor    `cmd:"" help:"Compare the counters of all queues with a real count; exit code 1 where they differ."`
	Psql    psql      `cmd:"" help:"Open psql on the database."`
	DBURL   dbURL     `cmd:"" name:"db-url" help:"Print the address of the database, with its password."`
	Health  health    `cmd:"" settings:"listen,tls-cert,tls-key" help:"Ask the server that listens at FETCHQ_LISTEN whether it is ready; exit code 1 where it is not."`
	Version printed   `cmd:"" settings:"none" help:"Print the version."`
}

func main() {
	var c commands
	parser := kong.Must(&c, kong.Name("fetchq"),
		kong.Description("A document queue on Postgres. Without DATABASE_URL it runs a private Postgres in its data directory. "+
			"All settings: fetchq serve --help."), kong.Help(help))
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "fetchq: %v; %s says what there is\n", err, helpFor(err))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = c.Check()
	if err == nil {
		command.BindTo(audit.With(ctx, audit.NewTrail(operator(), "", "")), (*context.Context)(nil))
		err = command.Run(c.Config, c.Logger())
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fetchq:", sentence(err))
		os.Exit(1)
	}
}

// operator is who gives a command, as the audit log tells it: who is logged in, and on which machine.
func operator() audit.Actor {
	name := "unknown"
	if u, err := osuser.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return audit.Actor{Kind: audit.Shell, Name: name}
}

// program is the version as it was built.
func program() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
