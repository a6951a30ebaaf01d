package config

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/goodgate/goodgate/internal/printable"
)

const (
	unixPrefix = "unix:"
	fdPrefix   = "fd:"
)

// formats are the checks that the format tag names.
var formats = map[string]format{
	"acmehost":    {acmeHost, whole},
	"bytes":       {stepBytes, nil},
	"cookiehost":  {cookieDomain, whole},
	"cookiename":  {cookieName, whole},
	"cookiepath":  {cookiePath, whole},
	"corsheader":  {corsHeader, whole},
	"corsmethod":  {corsMethod, whole},
	"dnsname":     {dnsName, whole},
	"email":       {email, whole},
	"endpoint":    {endpointURL, origin},
	"fieldname":   {fieldName, whole},
	"hashkey":     {hashKey, whole},
	"exactorigin": {exactOrigin, whole},
	"header":      {headerName, whole},
	"headervalue": {headerValue, headerValueTold},
	"hostpattern": {hostPattern, whole},
	"hostport":    {hostPort, whole},
	"jsonpath":    {jsonPath, whole},
	"kubename":    {kubeName, whole},
	"kubeport":    {kubePort, whole},
	"listener":    {listenerRef, whole},
	"listurl":     {endpointURL, listTold},
	"listen":      {listenAddress, whole},
	"mediatype":   {mediaPattern, whole},
	"method":      {method, whole},
	"name":        {poolName, whole},
	"nameserver":  {nameServer, whole},
	"origin":      {corsOrigin, whole},
	"output":      {logOutput, whole},
	"parameter":   {parameter, whole},
	"path":        {matchPath, whole},
	"pin":         {publicKeyPin, whole},
	"prefix":      {pathPrefix, whole},
	"ratekey":     {rateKey, whole},
	"redirect":    {redirectTarget, withoutQuery},
	"regexp":      {regularExpression, whole},
	"requestpath": {requestPath, withoutQuery},
	"rewrite":     {rewriteTarget, withoutQuery},
	"rewritten":   {rewritten, whole},
	"secretname":  {secretName, whole},
	"sendhost":    {sendHost, whole},
	"serviceurl":  {serviceURL, serviceTold},
	"splitkey":    {splitKey, whole},
	"time":        {moment, whole},
	"token":       {token, whole},
	"url":         {upstreamURL, withoutQuery},
	"via":         {viaName, whole},
	"zone":        {zoneName, whole},
}

func poolName(s string) (string, error) {
	if s == "" || len(s) > 63 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "", errors.New("a name has 1 to 63 characters: a-z, 0-9, _ and -")
	}
	return s, nil
}

// dnsName accepts names that resolvers accept, including underscores, and IP addresses.
func dnsName(s string) (string, error) {
	if !isHost(s) {
		return "", errors.New("expected a host name (international names as xn--...)")
	}
	return strings.ToLower(s), nil
}

func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		}) {
			return false
		}
	}
	return true
}

func hostPattern(s string) (string, error) {
	name := strings.TrimPrefix(s, "*.")
	switch {
	case strings.Contains(s, "://"):
		scheme, rest, _ := strings.Cut(s, "://")
		host, _, _ := strings.Cut(rest, "/")
		if scheme != "http" && scheme != "https" || !isHost(strings.TrimPrefix(host, "*.")) {
			return "", errors.New("expected a host name, without a scheme")
		}
		return "", fmt.Errorf("a host has no scheme: write host: %s, and scheme: %s if it matters", host, scheme)
	case s == "*":
		return "", errors.New("leave host out to match every host")
	case strings.Contains(name, "*"):
		return "", errors.New("a * must be the whole first label, as in *.example.com")
	case !isHost(name) && isHost(strings.Split(name, ":")[0]):
		return "", errors.New("a host has no port here: use match.port")
	case !isHost(name):
		return "", errors.New("expected a host name such as example.com or *.example.com")
	}
	return strings.TrimSuffix(strings.ToLower(s), "."), nil
}

func sendHost(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = s, "80"
	}
	if !isHost(host) || !isPort(port, 1) {
		return "", errors.New("expected keep, upstream or a host name")
	}
	return s, nil
}

func isPort(s string, low int) bool {
	n, err := strconv.Atoi(s)
	return err == nil && isDigits(s) && n >= low && n <= 65535
}

func unixPath(path string) error {
	// sun_path has 108 bytes on Linux, the terminating zero included.
	if !strings.HasPrefix(path, "/") || len(path) > 107 || printable.Text(path) != path {
		return errors.New("expected unix:/path, with an absolute path of at most 107 printable bytes")
	}
	return nil
}

func listenAddress(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		return s, unixPath(path)
	}
	if name, ok := strings.CutPrefix(s, fdPrefix); ok {
		_, err := poolName(name)
		return s, err
	}
	host, port, err := net.SplitHostPort(s)
	switch {
	case isPort(s, 0):
		return "", fmt.Errorf("expected host:port: write :%s for every address of this machine", s)
	case strings.Contains(s, "://"):
		return "", errors.New("expected host:port, without a scheme")
	case err != nil:
		return "", errors.New("expected host:port, :port, unix:/path.sock or fd:NAME")
	case !isPort(port, 0):
		return "", errors.New("the port must be a number from 0 to 65535")
	case host != "" && !isHost(host):
		return "", errors.New("the host must be a name or an address")
	}
	return s, nil
}

// listenerRef accepts the name or the address of a listener.
func listenerRef(s string) (string, error) {
	if _, err := poolName(s); err == nil {
		return s, nil
	}
	if _, err := listenAddress(s); err != nil {
		return "", errors.New("expected the name or the address of a listener")
	}
	return s, nil
}

// publicKeyPin accepts the form of RFC 7469 section 2.4.
func publicKeyPin(s string) (string, error) {
	text, ok := strings.CutPrefix(s, "sha256/")
	sum, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil || len(sum) != sha256.Size {
		return "", errors.New("expected sha256/ and the base64 SHA-256 of a public key (SubjectPublicKeyInfo)")
	}
	return s, nil
}

func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !isHost(host) || !isPort(port, 1) {
		return "", errors.New("expected host:port")
	}
	return s, nil
}

// upstreamURL returns the URL with its port and in lower case, so that equal upstreams have equal URLs.
func upstreamURL(s string) (string, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		return s, unixPath(path)
	}
	u, err := url.Parse(s)
	if hostport, e := hostPort(s); e == nil && (err != nil || u.Host == "") {
		return "", fmt.Errorf("a URL needs its scheme: write http://%s", hostport)
	}
	if err != nil {
		return "", errors.New("expected http://host:port, https://host:port or unix:/path.sock")
	}
	port := u.Port()
	if port == "" && !strings.HasSuffix(u.Host, ":") {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", errors.New("expected http://host:port, https://host:port or unix:/path.sock")
	case u.User != nil:
		return "", errors.New("a URL takes no user and password here: set an Authorization header in request_headers of the route")
	case u.Path != "" && u.Path != "/":
		return "", fmt.Errorf("a URL takes no path here: set add_prefix: %s in the route", u.EscapedPath())
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return "", errors.New("a URL takes no query and no fragment here")
	case !isHost(u.Hostname()):
		return "", errors.New("the host must be a name or an address")
	case !isPort(port, 1):
		return "", errors.New("the port must be a number from 1 to 65535")
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port), nil
}

// zoneName accepts a zone's name, as a source of upstreams may report it.
func zoneName(s string) (string, error) {
	if s != "" && (len(s) > 63 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-:/", r)
	})) {
		return "", errors.New("a zone has at most 63 letters, digits, '.', '_', '-', ':' and '/'")
	}
	return s, nil
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func token(s string) (string, error) {
	if !isToken(s) {
		return "", errors.New("expected a word of letters, digits, - and _")
	}
	return s, nil
}

// cookieName accepts the name of a cookie, or * for all.
func cookieName(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	return token(s)
}

// parameter accepts the decoded name of a query parameter.
func parameter(s string) (string, error) {
	if s == "" || printable.Text(s) != s || strings.ContainsAny(s, " :/=&?#%+") {
		return "", errors.New("expected the name of a parameter, such as page or filter[name]")
	}
	return s, nil
}

func viaName(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return token(s)
}

func headerName(s string) (string, error) {
	if !isToken(s) {
		return "", errors.New("not a header name")
	}
	return http.CanonicalHeaderKey(s), nil
}

func headerValue(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return "", errors.New("a header value must not have line breaks or control characters")
	}
	return strings.TrimSpace(s), nil
}

func method(s string) (string, error) {
	switch {
	case !isToken(s):
		return "", errors.New("not a method")
	case s != strings.ToUpper(s):
		return "", fmt.Errorf("methods are case-sensitive: write %s", strings.ToUpper(s))
	}
	return s, nil
}

// endpointURL accepts the URL of a service, with its path.
func endpointURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		return "", errors.New("expected http://host:port/path or https://host:port/path")
	}
	return s, nil
}

// email accepts an address without a display name, or nothing.
func email(s string) (string, error) {
	if a, err := mail.ParseAddress(s); s != "" && (err != nil || a.Address != s) {
		return "", errors.New("expected an address such as ops@example.com")
	}
	return s, nil
}
