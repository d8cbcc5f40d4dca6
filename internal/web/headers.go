package web

import (
	"net/http"
	"strings"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

// Headers are how the proxy before this server names whom it has signed in.
type Headers struct {
	User   string       // the header with the e-mail address; "": no proxy signs people in
	Groups string       // the header with the groups, between commas; may be empty
	From   auth.Proxies // whose requests are believed: those that open the connection, whatever X-Forwarded-For says
}

// believe takes the headers of the proxy off requests that do not come from it, so that nothing behind can believe them.
func (s *Server) believe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if s.Headers.User == "" || s.Headers.From.Sent(r) {
			return next(c)
		}
		for _, name := range []string{s.Headers.User, s.Headers.Groups} {
			if name != "" && len(r.Header.Values(name)) > 0 {
				id, _ := c.Get(idKey).(string)
				s.Log.Warn("a header that only the proxy may send is not believed", "header", name, "from", r.RemoteAddr, "request_id", id)
				r.Header.Del(name)
			}
		}
		return next(c)
	}
}

var errTwoNames = errs.New(errs.Forbidden, "the proxy before this site names more than one person, or its groups more than once; whoever runs it has to mend that")

// proxied is whom the proxy names in a request that it has sent; nil: nobody. Errors: Forbidden (it names several).
func (s *Server) proxied(r *http.Request) (*auth.Person, error) {
	if s.Headers.User == "" || !s.Headers.From.Sent(r) {
		return nil, nil //nolint:nilnil // nobody is no error
	}
	emails, groups := r.Header.Values(s.Headers.User), []string(nil)
	if s.Headers.Groups != "" {
		groups = r.Header.Values(s.Headers.Groups)
	}
	if len(emails) > 1 || len(groups) > 1 {
		return nil, errTwoNames
	}
	if len(emails) == 0 || strings.TrimSpace(emails[0]) == "" {
		return nil, nil //nolint:nilnil // nobody is no error
	}
	who := &auth.Person{Issuer: auth.Proxy, Email: strings.TrimSpace(emails[0])}
	who.Subject = strings.ToLower(who.Email)
	for _, list := range groups {
		for group := range strings.SplitSeq(list, ",") {
			if group = strings.TrimSpace(group); group != "" && group != auth.Everybody {
				who.Groups = append(who.Groups, group)
			}
		}
	}
	return who, nil
}

// vouched says whether the proxy names the user of a session that it began, with groups of the same role, in this request too.
func (s *Server) vouched(r *http.Request, user auth.User) bool {
	who, err := s.proxied(r)
	return err == nil && who != nil && user.Identity == auth.Proxy+" "+who.Subject && user.Role == s.Entrance.Role(*who)
}

// signedInUser returns who is signed in by the session of a request. A session that the proxy began is over as soon as it names somebody
// else, or nobody.
func (s *Server) signedInUser(c echo.Context) (auth.User, bool, error) {
	session, err := s.Sessions.Get(c.Request(), auth.SessionName)
	if err != nil {
		return auth.User{}, false, err
	}
	user, ok := auth.UserOf(session)
	if ok && auth.DoorOf(session) == auth.ProxyDoor && !s.vouched(c.Request(), user) {
		return auth.User{}, false, s.Sessions.SignOut(c.Response(), c.Request())
	}
	if ok {
		know(c, session, user)
	}
	return user, ok, nil
}

// know notes who asks, in whose name calls are made, and what these see.
func know(c echo.Context, session *sessions.Session, user auth.User) {
	c.Set(sessionKey, session)
	ctx := within(queue.By(c.Request().Context(), "user:"+user.Email), user)
	if !user.May(auth.Reveal) {
		ctx = queue.Veil(ctx, !user.May(auth.Act))
	}
	c.SetRequest(c.Request().WithContext(ctx))
}

// enterByProxy begins a session of whom the proxy names. It is not done where that is nobody.
func (s *Server) enterByProxy(c echo.Context, next string) (done bool, _ error) {
	who, err := s.proxied(c.Request())
	if err != nil {
		return true, s.refuseSignIn(c, err)
	}
	if who == nil {
		return false, nil
	}
	user, err := s.Users.Admit(c.Request().Context(), s.Entrance, *who)
	if err != nil {
		return true, s.refuseSignIn(c, err)
	}
	return true, s.enterBy(c, user, auth.ProxyDoor, next)
}

// connectProxied binds an account to whom the proxy names; the password was shown.
func (s *Server) connectProxied(c echo.Context, user auth.User) error {
	who, err := s.proxied(c.Request())
	if err == nil && who == nil {
		err = errs.New(errs.Forbidden, "the proxy before this site does not say who you are")
	}
	if err != nil {
		return s.showAccount(c, errs.Of(err).Status(), "connect", message(err))
	}
	return s.bind(c, user, *who, auth.ProxyDoor)
}

// outside is what people call that which signs them in, beside this site; "": nothing does.
func (s *Server) outside() string {
	switch {
	case s.Provider != nil:
		return s.Provider.Name()
	case s.Headers.User != "":
		return "the proxy"
	}
	return ""
}
