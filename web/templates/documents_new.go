package templates

// NewDocumentInputs are the fields of a form for a new document, with what was typed and what was wrong with it.
func NewDocumentInputs(values map[string]string, wrong, text string) []Input {
	inputs := []Input{
		{Name: "subject", Label: "Subject", Placeholder: "made by the server", Autofocus: true, Max: 255, Autocomplete: "off",
			Help: "Names the document in its queue, 1 to 255 bytes of any text. Empty: one is made that sorts by time."},
		{Name: "payload", Label: "Payload", Type: "textarea", Placeholder: "{}", Help: "JSON of up to 1 MiB; numbers keep all their digits. Empty: {}, or what stands there."},
		{Name: "version", Label: "Payload version", Placeholder: "0", Max: 10, Help: "Workers pick one version. 0 to 32,767."},
		{Name: "priority", Label: "Priority", Placeholder: "0", Max: 10, Help: "The higher goes first. -32,767 to 32,767."},
		{Name: "next_iteration", Label: "Date", Placeholder: "now", Max: 64,
			Help: "When it becomes due: 2026-11-24T09:00:00Z, or a span from now with a sign, such as +2h. Empty: now."},
		{Name: "on_conflict", Label: "Where the subject is taken", Type: "select",
			Options: []Option{{"ignore", "ignore: leave the document there as it is"}, {"update", "update: give it these values, and this date"},
				{"requeue", "update, and if a worker holds it: when he is done"}}},
	}
	for i, f := range inputs {
		inputs[i].Value = values[f.Name]
		inputs[i].Wrong = wrongAt(wrong, f.Name, text)
	}
	return inputs
}
