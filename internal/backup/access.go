package backup

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	gcaws "gocloud.dev/aws"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	"gocloud.dev/blob/s3blob"

	"github.com/fetchq/server/internal/errs"
)

// Access is where destinations may lead.
type Access struct {
	// Anywhere: to addresses of this link too, where machines of a cloud ask for their credentials, and for Azure and Google to domains that are not theirs.
	Anywhere bool
	// Credentials of S3; nil: those that the machine has.
	Credentials *Credentials
}

// Credentials are a key of S3.
type Credentials struct {
	AccessKey string // its ID, which is no secret
	Secret    string
	Token     string // of a session; "": none
}

// ownCredentials are the parameters of URLs that name other credentials.
var ownCredentials = []string{"profile", "anonymous", "role", "role_session_name", "role_external_id", "role_duration", "web_identity_token_file"}

// NamesCredentials returns a parameter of a URL that says which credentials to take; "" where there is none.
func NamesCredentials(u *url.URL) string {
	q := u.Query()
	if i := slices.IndexFunc(ownCredentials, q.Has); i >= 0 {
		return ownCredentials[i]
	}
	return ""
}

// inside are addresses beside those of the link at which a cloud tells its machines secrets.
var inside = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("fd20:ce::254/128"), netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("192.0.0.192/32"), netip.MustParsePrefix("168.63.129.16/32"),
}

// forbidden says whether an address is one of the link, or one at which a cloud tells secrets, in whatever way it is written.
func forbidden(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if b := a.As16(); a.Is6() && netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a.IsLinkLocalUnicast() || a.IsLinkLocalMulticast() || a.IsInterfaceLocalMulticast() ||
		slices.ContainsFunc(inside, func(p netip.Prefix) bool { return p.Contains(a) })
}

// errInside is told where a destination leads to such an address.
func errInside(address string) error {
	return &errs.Error{Code: errs.Forbidden, Field: "url",
		Message: "the destination leads to " + address + ", an address inside of this network; FETCHQ_ANY_DESTINATION would allow it"}
}

// dialable refuses an address when a connection to it is about to be made, whatever name has led there.
func dialable(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if forbidden(to.Addr()) {
		return errInside(to.Addr().String())
	}
	return nil
}

// bucket opens the bucket of a URL.
func (a Access) bucket(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	if !a.Anywhere {
		if err := elsewhere(u); err != nil {
			return nil, err
		}
	}
	if u.Scheme != s3blob.Scheme {
		return blob.OpenBucket(ctx, u.String())
	}
	return a.s3(ctx, u)
}

var (
	azureAccount = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	azureDomains = []string{"", "blob.core.windows.net", "blob.core.chinacloudapi.cn", "blob.core.usgovcloudapi.net"}
)

// elsewhere refuses what a URL alone shows to lead where it may not. A proxy would be asked for such an address by name, and nobody here dials it.
func elsewhere(u *url.URL) error {
	q := u.Query()
	switch u.Scheme {
	case "s3":
		to, err := url.Parse(q.Get("endpoint"))
		if err != nil {
			return errs.Field("url", "the endpoint of the destination is no URL")
		}
		if ip, err := netip.ParseAddr(to.Hostname()); err == nil && forbidden(ip) {
			return errInside(ip.String())
		}
	case "azblob":
		if account := q.Get("storage_account"); account != "" && !azureAccount.MatchString(account) || !slices.Contains(azureDomains, q.Get("domain")) ||
			q.Has("localemu") || q.Has("cdn") || q.Get("protocol") == "http" {
			return errs.Field("url", "azblob:// leads to the domains of Azure by https alone; FETCHQ_ANY_DESTINATION would allow others")
		}
	case "gs":
		if q.Has("universe_domain") || q.Has("private_key_path") || q.Has("grpc") || q.Has("zonal") {
			return errs.Field("url", "gs:// leads to Google's own domain, with no key of a file that the URL names; FETCHQ_ANY_DESTINATION would allow others")
		}
	}
	return nil
}

// s3 opens a bucket of S3, by connections that lead where they may.
func (a Access) s3(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	q := u.Query()
	var opt s3blob.Options
	if kind := q.Get("ssetype"); kind != "" {
		known := opt.EncryptionType.Values()
		i := slices.IndexFunc(known, func(k types.ServerSideEncryption) bool { return strings.EqualFold(string(k), kind) })
		if i < 0 {
			return nil, errs.Field("url", "ssetype is %.20q; AES256, aws:kms and aws:kms:dsse are known", kind)
		}
		opt.EncryptionType = known[i]
	}
	opt.KMSEncryptionID = q.Get("kmskeyid")
	var failed error
	is := func(names ...string) (set bool) {
		for _, name := range names {
			if q.Has(name) {
				var err error
				if set, err = strconv.ParseBool(q.Get(name)); err != nil {
					failed = errs.Field("url", "%s is %.20q; true or false is wanted", name, q.Get(name))
				}
			}
			q.Del(name)
		}
		return set
	}
	accelerate, plain, path := is("accelerate"), is("disable_https"), is("use_path_style", "s3ForcePathStyle")
	if failed != nil {
		return nil, failed
	}
	q.Del("ssetype")
	q.Del("kmskeyid")
	cfg, err := gcaws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, errs.Field("url", "the parameters of the destination are wrong: %s", err)
	}
	if c := a.Credentials; c != nil {
		cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.Secret, SessionToken: c.Token}, nil
		})
	}
	if !a.Anywhere {
		// Credentials were looked for by another client: that of a machine's role asks an address of the link.
		cfg.HTTPClient = awshttp.NewBuildableClient().WithDialerOptions(func(d *net.Dialer) { d.ControlContext = dialable })
	}
	opt.RequestChecksumCalculation = cfg.RequestChecksumCalculation
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UseAccelerate, o.EndpointOptions.DisableHTTPS, o.UsePathStyle = accelerate, plain, path
	})
	return s3blob.OpenBucket(ctx, client, u.Host, &opt)
}
