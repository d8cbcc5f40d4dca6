package main

import (
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
