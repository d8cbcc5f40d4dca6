package templates

// EditInputs are the fields of a form that edits a document, with what was typed and what was wrong with it. noDate and
// noPayload are why those cannot be edited now.
func EditInputs(values map[string]string, wrong, text, noDate, noPayload string) []Input {
	payload := Input{Name: "payload", Label: "Payload", Type: "textarea", Autofocus: true, Help: "JSON of up to 1 MiB; numbers keep all their digits."}
	date := Input{Name: "next_iteration", Label: "Date", Max: 64, Help: "Such as 2026-11-24T09:00:00Z, or a span from now with a sign, such as +2h."}
	inputs := []Input{
		payload,
		{Name: "priority", Label: "Priority", Required: true, Max: 10, Help: "The higher goes first. -32,767 to 32,767."},
		{Name: "version", Label: "Payload version", Required: true, Max: 10, Help: "Workers pick one version. 0 to 32,767."},
		date,
	}
	for i, f := range inputs {
		inputs[i].Value = values[f.Name]
		inputs[i].Wrong = wrongAt(wrong, f.Name, text)
	}
	if noPayload != "" {
		inputs[0].Value, inputs[0].Disabled, inputs[0].Help = "", true, noPayload
	}
	if noDate != "" {
		inputs[3].Disabled, inputs[3].Help = true, noDate
	}
	return inputs
}
