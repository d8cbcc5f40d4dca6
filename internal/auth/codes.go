package auth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/fetchq/server/internal/errs"
)

// Codes of an app (TOTP, RFC 6238: SHA-1, six digits, 30 s, which is what all apps know) and codes that stand in for it.
const (
	codeDigits    = 6
	codeStep      = 30 // seconds
	codeSkew      = 1  // steps that a clock may be off, either way
	secretBytes   = 20
	recoveryCodes = 10
	recoveryBytes = 10 // 80 bits, 16 characters
	qrSize        = 264
)

var errCode = errs.Field("code", "this code is wrong, or was used already; wait for the next one")

// Enrolment is a second factor that is being set up.
type Enrolment struct{ key *otp.Key }

// Secret is what the app needs, as text.
func (e Enrolment) Secret() string { return e.key.Secret() }

// QR is the same as a picture, a PNG.
func (e Enrolment) QR() ([]byte, error) {
	image, err := e.key.Image(qrSize, qrSize)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = png.Encode(&b, image)
	return b.Bytes(), err
}

func enrolment(issuer, email string, secret []byte) (Enrolment, error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: email, Secret: secret})
	return Enrolment{key}, err
}

// stepOf returns the number of the step whose code it is, at a moment in seconds since 1970; 0 where it is none of these.
func stepOf(code string, secret []byte, now int64) (int64, error) {
	text := base32.StdEncoding.EncodeToString(secret)
	var found int64
	for step := now/codeStep - codeSkew; step <= now/codeStep+codeSkew; step++ {
		want, err := hotp.GenerateCode(text, uint64(step)) //nolint:gosec // a moment after 1970
		if err != nil {
			return 0, fmt.Errorf("make a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(want)) == 1 {
			found = step
		}
	}
	return found, nil
}

// bare is a code as it is compared: people write spaces and dashes.
func bare(code string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(code))
}

// isAppCode says whether it looks like a code of an app, and not like one that stands in for it.
func isAppCode(code string) bool {
	return len(code) == codeDigits && strings.Trim(code, "0123456789") == ""
}

// takeStep takes the code of a step, which with all before it is over then. Invalid: it was taken.
func takeStep(ctx context.Context, tx pgx.Tx, user uuid.UUID, step int64) error {
	done, err := tx.Exec(ctx, `update fetchq.second_factors set last_step = $2 where user_id = $1 and last_step < $2`, user, step)
	if err == nil && done.RowsAffected() == 0 {
		return errCode
	}
	return err
}

// newRecovery replaces the codes that stand in for the app, and returns them: they are not stored.
func newRecovery(ctx context.Context, tx pgx.Tx, user uuid.UUID) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		b := make([]byte, recoveryBytes)
		_, _ = rand.Read(b) // never fails
		text := strings.ToLower(base32.StdEncoding.EncodeToString(b))
		codes[i], hashes[i] = strings.Join([]string{text[:4], text[4:8], text[8:12], text[12:]}, "-"), hash(text)
	}
	if _, err := tx.Exec(ctx, `delete from fetchq.recovery_codes where user_id = $1`, user); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, `insert into fetchq.recovery_codes (user_id, hash) select $1, unnest($2::bytea[])`, user, hashes)
	return codes, err
}
