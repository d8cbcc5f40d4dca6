package web

import (
	"strings"

	"github.com/fetchq/server/internal/queue"
)

// hidden puts into a patch what the form says of the parts of payloads that are hidden. A form that says nothing of viewers leaves both as they are.
func (v values) hidden(patch map[string]any) {
	if v["viewer_payloads"] == "" {
		return
	}
	paths := []string{}
	for line := range strings.Lines(v["redact"]) {
		if path := strings.TrimSpace(line); path != "" {
			paths = append(paths, path)
		}
	}
	patch["viewer_payloads"], patch["redact"] = v["viewer_payloads"], paths
}

func hiddenWords(s queue.Settings) string {
	words := firstOf(strings.Join(s.Redact, ", "), "nothing")
	if s.ViewerPayloads != queue.PayloadsShown {
		words += "; from viewers all"
	}
	return words
}
