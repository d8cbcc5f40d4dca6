package web

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/web/templates"
)

const placesTab = backupsURL + "?tab=destinations"

// destinationForm is the form of a destination as it was sent.
type destinationForm struct {
	name, url, recipients, identity string
	accessKey                       string
	typed                           catalog.Typed // never shown again, not where the form was wrong either
	kept                            string        // in words: where the secret is; "": nowhere yet
	keep                            [4]string     // last, daily, weekly, monthly
}

var keepFields = [4]string{"keep_last", "keep_daily", "keep_weekly", "keep_monthly"}

func (s *Server) newDestinationPage(c echo.Context) error {
	return s.askDestination(c, http.StatusOK, destinationForm{}, true, "", "")
}

func (s *Server) askDestination(c echo.Context, status int, f destinationForm, fresh bool, field, said string) error {
	known := append([]string{"name", "url", "recipients", "identity", "access_key", "secret", "session_token"}, keepFields[:]...)
	v := templates.AskForm{
		Title: "New destination", Action: backupsURL + "/destinations/new", Back: placesTab, Button: "Make the destination", Wrong: besides(field, said, known...),
	}
	if fresh {
		v.Inputs = append(v.Inputs, templates.Input{
			Name: "name", Label: "Name", Value: f.name, Required: true, Autofocus: true, Max: 40, Autocomplete: "off", Placeholder: "offsite", Wrong: at(field, "name", said),
			Help: "1 to 40 of a-z, 0-9, - and _, beginning with a letter.",
		})
	} else {
		v.Title, v.Action, v.Button = "The destination "+f.name, backupsURL+"/destinations/"+f.name+"/edit", "Save"
	}
	v.Inputs = append(v.Inputs,
		templates.Input{
			Name: "url", Label: "Where", Value: f.url, Required: true, Max: 2000, Autocomplete: "off", Placeholder: "s3://bucket/prefix?region=eu-central-1", Wrong: at(field, "url", said),
			Help: "file:///folder on the server, s3://bucket/prefix?region=… (also endpoint=…, use_path_style=true, profile=…), gs://bucket/prefix, azblob://container/prefix. " +
				"Credentials come from the environment of the server, its files, or the role of the machine; S3 may have a key of its own here. None stands in the URL.",
		})
	v.Inputs = append(v.Inputs, s.keyInputs(f, field, said)...)
	v.Inputs = append(v.Inputs,
		templates.Input{
			Name: "recipients", Label: "Encrypt to", Value: f.recipients, Autocomplete: "off", Placeholder: "not encrypted", Wrong: at(field, "recipients", said),
			Help: "Public keys of age (age1…), with spaces between them.",
		},
		templates.Input{
			Name: "identity", Label: "Variable with the private key", Value: f.identity, Max: 80, Autocomplete: "off", Placeholder: catalog.VariablePrefix + "KEY", Wrong: at(field, "identity", said),
			Help: "Of the server's environment, to verify and restore what is encrypted. The key itself is never kept here.",
		})
	labels := [4]string{"Keep the newest", "Keep one a day, of days", "Keep one a week, of weeks", "Keep one a month, of months"}
	for i, name := range keepFields {
		in := templates.Input{Name: name, Label: labels[i], Value: f.keep[i], Max: 5, Placeholder: "0", Autocomplete: "off", Wrong: at(field, name, said)}
		if i == 3 {
			in.Help = "Of all backups at this place, whoever made them; the others are removed after each good run. All empty: everything stays."
		}
		v.Inputs = append(v.Inputs, in)
	}
	return s.dialog(c, status, backupsFrame(v.Title), templates.Ask(v))
}

// keyInputs are the fields of a key that a destination of S3 has of its own.
func (s *Server) keyInputs(f destinationForm, field, said string) []templates.Input {
	secret := "The secret itself, or env:" + catalog.SecretPrefix + "… for a variable of the server, or file:… for a file of its folder of secrets. It is never shown again."
	switch {
	case f.kept != "":
		secret = capitalized(f.kept) + ". Empty: it stays. " + secret
	case !s.Catalog.CanSeal():
		secret = "env:" + catalog.SecretPrefix + "… for a variable of the server, or file:… for a file of its folder of secrets. The secret itself cannot be kept: this server has no FETCHQ_SECRET_KEY."
	}
	return []templates.Input{
		{
			Name: "access_key", Label: "Access key of S3", Value: f.accessKey, Max: 128, Autocomplete: "off", Placeholder: "as the machine has it", Wrong: at(field, "access_key", said),
			Help: "The ID of a key for this destination alone. Empty: credentials as the machine has them.",
		},
		{Name: "secret", Label: "Its secret", Type: "password", Max: 300, Autocomplete: "new-password", Wrong: at(field, "secret", said), Help: secret},
		{
			Name: "session_token", Label: "Session token", Type: "password", Max: 4000, Autocomplete: "off", Wrong: at(field, "session_token", said),
			Help: "Only for keys that end with a session, and with a secret that is typed here.",
		},
	}
}

// secretWords say where the secret of a destination's key is; "" where it has none.
func secretWords(d catalog.Destination) string {
	switch {
	case d.Secret == "" || d.SecretAt == nil:
		return ""
	case d.Secret == catalog.Sealed:
		return "secret sealed, set on " + d.SecretAt.UTC().Format("2006-01-02")
	default:
		return "secret from " + d.Secret
	}
}

func readDestinationForm(c echo.Context) destinationForm {
	f := destinationForm{
		name: strings.TrimSpace(c.FormValue("name")), url: strings.TrimSpace(c.FormValue("url")), recipients: c.FormValue("recipients"),
		identity: strings.TrimSpace(c.FormValue("identity")), accessKey: strings.TrimSpace(c.FormValue("access_key")),
		typed: catalog.Typed{Secret: strings.TrimSpace(c.FormValue("secret")), Token: strings.TrimSpace(c.FormValue("session_token"))},
	}
	for i, name := range keepFields {
		f.keep[i] = c.FormValue(name)
	}
	return f
}

func (f destinationForm) read() (d catalog.Destination, err error) {
	d = catalog.Destination{
		Name: f.name, URL: f.url, Identity: f.identity, AccessKey: f.accessKey, Typed: f.typed,
		Recipients: strings.FieldsFunc(f.recipients, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }),
	}
	for i, to := range [4]*int{&d.Keep.Last, &d.Keep.Daily, &d.Keep.Weekly, &d.Keep.Monthly} {
		n, err := parseWhole(keepFields[i], f.keep[i])
		if err != nil {
			return d, err
		}
		if n != nil {
			*to = *n
		}
	}
	return d, nil
}

func (s *Server) createDestination(c echo.Context) error {
	f := readDestinationForm(c)
	_, err := s.Catalog.Destination(c.Request().Context(), f.name)
	if err == nil {
		return s.askDestination(c, http.StatusUnprocessableEntity, f, true, "name", "There is a destination of this name.")
	}
	if errs.Of(err) != errs.NotFound {
		return err
	}
	return s.keepDestination(c, f, true)
}

func (s *Server) keepDestination(c echo.Context, f destinationForm, fresh bool) error {
	d, err := f.read()
	if err == nil {
		me, _ := userOf(c)
		_, err = s.Catalog.PutDestination(c.Request().Context(), d, me.Email)
	}
	if field, said, ok := wrong(err); ok {
		return s.askDestination(c, http.StatusUnprocessableEntity, f, fresh, field, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	if fresh {
		return s.done(c, placesTab, "Made the destination "+d.Name+". Test it.", nil)
	}
	return s.done(c, placesTab, "Saved the destination "+d.Name+".", nil)
}

func (s *Server) editDestinationPage(c echo.Context) error {
	d, err := s.Catalog.Destination(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	f := destinationForm{name: d.Name, url: d.URL, recipients: strings.Join(d.Recipients, " "), identity: d.Identity, accessKey: d.AccessKey, kept: secretWords(d)}
	for i, n := range [4]int{d.Keep.Last, d.Keep.Daily, d.Keep.Weekly, d.Keep.Monthly} {
		if n > 0 {
			f.keep[i] = strconv.Itoa(n)
		}
	}
	return s.askDestination(c, http.StatusOK, f, false, "", "")
}

func (s *Server) editDestination(c echo.Context) error {
	d, err := s.Catalog.Destination(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	f := readDestinationForm(c)
	f.name, f.kept = d.Name, secretWords(d)
	return s.keepDestination(c, f, false)
}

func (s *Server) deleteDestinationPage(c echo.Context) error {
	d, err := s.Catalog.Destination(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return s.askDeleteDestination(c, http.StatusOK, d, "")
}

func (s *Server) askDeleteDestination(c echo.Context, status int, d catalog.Destination, wrong string) error {
	return s.dialog(c, status, backupsFrame("Delete"), templates.ConfirmForm(templates.Confirm{
		Title: "Delete the destination " + d.Name, Action: destinationRow(d).Delete, Back: placesTab, Button: "Delete", Danger: true, Wrong: wrong,
		Says: []string{"What is known here of its backups is forgotten: who made them, when they were verified and restored. The backups stay at " + d.URL + ", and are found again when a destination leads there."},
	}))
}

func (s *Server) deleteDestination(c echo.Context) error {
	ctx := c.Request().Context()
	d, err := s.Catalog.Destination(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	err = s.Catalog.DeleteDestination(ctx, d.Name)
	if _, said, ok := wrong(err); ok {
		return s.askDeleteDestination(c, http.StatusUnprocessableEntity, d, capitalized(said)+".")
	}
	if err != nil {
		return err
	}
	return s.done(c, placesTab, "Deleted the destination "+d.Name+". Its backups are where they were.", nil)
}

// testDestination tries a destination out. What went wrong stands beside it afterwards.
func (s *Server) testDestination(c echo.Context) error {
	d, err := s.Catalog.Destination(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	if err := s.Catalog.Test(c.Request().Context(), d.Name); err != nil {
		return s.done(c, placesTab, "The test of "+d.Name+" failed: "+messageOf(err)+".", nil)
	}
	return s.done(c, placesTab, "Wrote, read, listed and deleted a file at "+d.Name+".", nil)
}
