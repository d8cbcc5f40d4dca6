package catalog

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

// SecretPrefix is how the names of variables begin that a destination may name for the secret of its key. They are others than those of private keys of
// age: the token of a session is sent to the destination as it is, and that may be anybody's.
const SecretPrefix = VariablePrefix + "S3_"

const (
	ofEnvironment = "env:"
	ofFile        = "file:"
)

var (
	goodAccessKey  = regexp.MustCompile(`^[A-Za-z0-9._@+-]{1,128}$`)
	goodSecretName = regexp.MustCompile(`^` + SecretPrefix + `[A-Z0-9_]{1,60}$`)
	goodSecretFile = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,200}$`)
	goodText       = regexp.MustCompile(`^[[:graph:]]+$`)
)

const (
	mostSecret = 200
	mostToken  = 4000
)

func goodSecret(text string) bool { return len(text) <= mostSecret && goodText.MatchString(text) }

func goodToken(text string) bool {
	return text == "" || len(text) <= mostToken && goodText.MatchString(text)
}

// checkSecret refuses a key and a secret that are none. No error says what was typed.
func (d Destination) checkSecret(u *url.URL) error {
	t := d.Typed
	switch named := backup.NamesCredentials(u); {
	case d.AccessKey == "" && t != (Typed{}):
		return errs.Field("access_key", "the ID of the key is wanted beside its secret")
	case d.AccessKey == "":
		return nil
	case u.Scheme != "s3":
		return errs.Field("access_key", "only destinations of S3 have keys of their own")
	case !goodAccessKey.MatchString(d.AccessKey):
		return errs.Field("access_key", "the ID of a key is 1 to 128 letters, digits and . _ @ + -")
	case named != "":
		return errs.Field("url", "%s= in the URL names other credentials; take it out, or the key", named)
	case t.Secret == "" && t.Token != "":
		return errs.Field("secret", "type the secret too: it was kept without this token")
	}
	name, isVariable := strings.CutPrefix(t.Secret, ofEnvironment)
	file, isFile := strings.CutPrefix(t.Secret, ofFile)
	switch {
	case isVariable && !goodSecretName.MatchString(name):
		return errs.Field("secret", "env: wants the name of a variable that begins with %s", SecretPrefix)
	case isFile && (!goodSecretFile.MatchString(file) || !filepath.IsLocal(file)):
		return errs.Field("secret", "file: wants the name of a file in the folder of secrets, which FETCHQ_SECRETS_DIR names")
	case (isVariable || isFile) && t.Token != "":
		return errs.Field("session_token", "the token stands on the second line of what env: and file: name")
	case t.Secret != "" && !goodSecret(t.Secret):
		return errs.Field("secret", "a secret is 1 to %d characters of ASCII without spaces", mostSecret)
	case !goodToken(t.Token):
		return errs.Field("session_token", "a token is 1 to %d characters of ASCII without spaces", mostToken)
	}
	return nil
}

// keepSecret sets what is kept of the secret of a destination: what was typed, or what was there before. A sealed one opens at its own URL alone: who may
// change that, and nothing more, would have what was meant for one place sent to another.
func (s *Service) keepSecret(d *Destination, before Destination) error {
	t := d.Typed
	d.Secret, d.sealed, d.SecretAt = "", nil, nil
	switch {
	case d.AccessKey == "":
	case strings.HasPrefix(t.Secret, ofEnvironment), strings.HasPrefix(t.Secret, ofFile):
		d.Secret = t.Secret
	case t.Secret != "" && s.sealer == nil:
		return errs.Field("secret", "this server has no key to keep secrets under; set FETCHQ_SECRET_KEY, or name the secret as env:%s… or file:…", SecretPrefix)
	case t.Secret != "":
		d.Secret, d.sealed = Sealed, s.sealer.Seal([]byte(t.Secret+"\n"+t.Token), d.owner())
	case before.AccessKey != d.AccessKey:
		return errs.Field("secret", "the secret of the key is wanted")
	case before.sealed != nil && before.URL != d.URL:
		return errs.Field("secret", "type the secret again: it is kept for the URL that was there before")
	default:
		d.Secret, d.sealed, d.SecretAt = before.Secret, before.sealed, before.SecretAt
	}
	return nil
}

// owner is for what a sealed secret opens.
func (d Destination) owner() []byte {
	return []byte(strings.Join([]string{d.Name, d.URL, d.AccessKey}, "\x00"))
}

// credentials returns the key of a destination; nil: it has none of its own. Errors: Invalid, of the field secret.
func (s *Service) credentials(d Destination) (*backup.Credentials, error) {
	if d.AccessKey == "" {
		return nil, nil
	}
	var text string
	if name, is := strings.CutPrefix(d.Secret, ofEnvironment); is {
		var there bool
		// A row may come from a backup of another installation.
		if text, there = s.Secret(name); !there || !goodSecretName.MatchString(name) {
			return nil, errs.Field("secret", "the variable %s of the destination %s is not set where this server runs", name, d.Name)
		}
	} else if name, is := strings.CutPrefix(d.Secret, ofFile); is {
		var err error
		if text, err = s.SecretFile(name); err != nil {
			return nil, asField("secret", err)
		}
	} else {
		opened, err := s.sealer.Open(d.sealed, d.owner())
		if err != nil {
			return nil, errs.Field("secret", "the secret of the destination %s cannot be opened: this server has no key, or another one than that under which it was kept "+
				"(FETCHQ_SECRET_KEY); type the secret again", d.Name)
		}
		text = string(opened)
	}
	secret, rest, _ := strings.Cut(text, "\n")
	token, _, _ := strings.Cut(rest, "\n")
	c := &backup.Credentials{AccessKey: d.AccessKey, Secret: strings.TrimSpace(secret), Token: strings.TrimSpace(token)}
	if !goodSecret(c.Secret) || !goodToken(c.Token) {
		return nil, errs.Field("secret", "what the destination %s names holds no secret on its first line, or no token on its second", d.Name)
	}
	return c, nil
}
