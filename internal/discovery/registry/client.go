package registry

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
)

// Access configures the connection to another program.
type Access struct {
	Address string      // http://host:port, https://host:port or unix:/path
	TLS     *tls.Config // settings for https; nil = the system's authorities
	Header  map[string]string

	// The token is sent in TokenHeader after TokenPrefix. TokenFile is read for each
	// request, so that a new token is used at once.
	TokenHeader, TokenPrefix string
	Token, TokenFile         string

	// Errors never contain Secrets, the token or the values of Header: the other
	// program may repeat them in its answer.
	Secrets []string
}

const (
	maxAnswer  = 8 << 20 // bytes in one answer, decompressed
	maxToken   = 64 << 10
	maxSaid    = 200 // bytes of an answer's error text
	maxHeaders = 64 << 10
	dialWait   = 3 * time.Second
)

// client queries one program.
type client struct {
	access    Access
	base      string // prefix of every URL
	transport *http.Transport
}

func newClient(a Access) *client {
	dialer := &net.Dialer{Timeout: dialWait}
	c := &client{access: a, base: strings.TrimSuffix(a.Address, "/"), transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: a.TLS, TLSHandshakeTimeout: dialWait,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxHeaders,
	}}
	if path, ok := strings.CutPrefix(a.Address, "unix:"); ok {
		c.base = "http://localhost"
		c.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
	}
	return c
}

// Close closes the idle connections.
func (c *client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// refused is the error for an answer with another status than 200.
type refused struct {
	status int
	said   string
	after  time.Duration // value of Retry-After; 0 = none
}

// RetryAfter returns the pause that the other program requests.
func (r *refused) RetryAfter() time.Duration { return r.after }

func (r *refused) Error() string {
	text := fmt.Sprintf("answered %d", r.status)
	if name := http.StatusText(r.status); name != "" {
		text += " " + name
	}
	if r.said != "" {
		text += ": " + r.said
	}
	return text
}

// request is one request. body may be nil.
type request struct {
	method, path string
	query        url.Values
	header       map[string]string
	body         any    // sent as JSON
	secret       string // secret in body, for hiding it in errors; "" = none
}

// send sends a request and returns the head of the answer with any status. Only the
// context bounds the body.
func (c *client) send(ctx context.Context, q request) (*http.Response, error) {
	target := c.base + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	var content io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target, content)
	if err != nil {
		return nil, bare(err)
	}
	r.Header.Set("User-Agent", "goodgate")
	for _, set := range []map[string]string{c.access.Header, q.header} {
		for name, value := range set {
			r.Header.Set(name, value)
			if name == "Host" {
				r.Host = value
			}
		}
	}
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set(c.access.TokenHeader, c.access.TokenPrefix+token)
	}
	// The plain transport follows no redirects, which could take the token elsewhere.
	response, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, bare(err)
	}
	return response, nil
}

// bare returns an error without the URL, whose query may be secret.
func bare(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection ended before an answer came: %w", err)
	}
	return err
}

// token returns the token to send.
func (c *client) token() (string, error) {
	if c.access.TokenFile == "" {
		return c.access.Token, nil
	}
	return secretFile(c.access.TokenFile)
}

// CheckSecret returns an error for an unusable file with a token or a password.
func CheckSecret(name string) error {
	_, err := secretFile(name)
	return err
}

// secretFile reads a file with one line.
func secretFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if token == "" || len(text) > maxToken || strings.ContainsAny(token, "\r\n\x00") {
		return "", fmt.Errorf("%s holds no token: expected one line of at most %d bytes", name, maxToken)
	}
	return token, nil
}

// ask returns the body of an answer with status 200. Another status is an error of type
// *refused.
func (c *client) ask(ctx context.Context, q request) ([]byte, http.Header, error) {
	response, err := c.send(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, response.Header, c.refusal(response, q.secret)
	}
	body, err := content(response)
	return body, response.Header, err
}

// content reads the body of an answer.
func content(response *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than the limit of %d bytes", maxAnswer)
	}
	return body, nil
}

// refusal returns the error for an answer without status 200. It contains no secret of
// the request, and none of secret.
func (c *client) refusal(response *http.Response, secret ...string) error {
	r := &refused{status: response.StatusCode, after: retryAfter(response.Header.Get("Retry-After"))}
	if to := response.Header.Get("Location"); to != "" && r.status/100 == 3 {
		host := "another address"
		if u, err := url.Parse(to); err == nil && u.Host != "" {
			host = u.Scheme + "://" + u.Host
		}
		r.said = "a redirect to " + printable.Text(host) + ", which is not followed"
		return r
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	r.said = said(text, append(c.secrets(response.Request), secret...)...)
	return r
}

// secrets returns the secrets in a request.
func (c *client) secrets(q *http.Request) []string {
	all := slices.AppendSeq(slices.Clone(c.access.Secrets), maps.Values(c.access.Header))
	all = append(all, q.Header.Get(c.access.TokenHeader), q.Header.Get("Authorization"))
	for _, s := range all {
		if _, after, ok := strings.Cut(s, " "); ok { // after the scheme, such as Bearer
			all = append(all, after)
		}
	}
	return all
}

// retryAfter parses a header field: seconds, or a date (RFC 9110, section 10.2.3). The
// result is at most an hour.
func retryAfter(field string) time.Duration {
	if seconds, err := strconv.Atoi(field); err == nil {
		return time.Duration(min(max(seconds, 0), 3600)) * time.Second
	}
	at, err := http.ParseTime(field)
	if err != nil {
		return 0
	}
	return min(max(time.Until(at), 0), time.Hour)
}

// leastSecret is the length in bytes below which a secret is not hidden, because it may
// be any word.
const leastSecret = 4

// said returns the text of an error's body, on one line, without secrets.
func said(body []byte, secrets ...string) string {
	text := strings.TrimSpace(string(body))
	var told struct{ Message, Error, Cause string }
	if json.Unmarshal(body, &told) == nil {
		text = cmp.Or(told.Message, told.Error, told.Cause)
	} else if strings.HasPrefix(text, "<") {
		return "" // an HTML page
	}
	for _, s := range secrets {
		if len(s) >= leastSecret {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "..."
	}
	return printable.Text(text)
}

// decode parses JSON.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	return nil
}

var errNoList = errors.New("the answer is not what was asked for: expected a list")
