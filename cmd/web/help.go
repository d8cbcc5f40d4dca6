package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// usual are the settings that concern a command which does not say otherwise.
const usual = "data-dir,database-url"

// help prints what kong prints, without the settings that do not concern the command: those that it names in its tag
// "settings", or in that of a command above it. Serve has them all.
func help(options kong.HelpOptions, ctx *kong.Context) error {
	names := "" // without a command
	for n := ctx.Selected(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
		if names = n.Tag.Get("settings"); names != "" {
			break
		}
		names = usual
	}
	for _, f := range ctx.Model.Flags {
		if names != "all" && f != ctx.Model.HelpFlag && !slices.Contains(strings.Split(names, ","), f.Name) {
			f.Hidden = true
		}
	}
	return kong.DefaultHelpPrinter(options, ctx)
}

// helpFor is the command line that shows how the command is called whose line is wrong.
func helpFor(err error) string {
	words := []string{"fetchq"}
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		for _, p := range wrong.Context.Path {
			if p.Command != nil {
				words = append(words, p.Command.Name)
			}
		}
	}
	return strings.Join(append(words, "--help"), " ")
}
