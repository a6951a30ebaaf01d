package logging

import (
	"strings"
	"testing"
)

func TestRedactedNames(t *testing.T) {
	t.Parallel()
	d := newRedactor([]string{"X-Shown-Token", "my_key"})
	for name, want := range map[string]bool{
		"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true, "X-Api-Key": true, "apiKey": true, "api_key": true,
		"APIKEY": true, "key": true, "access_token": true, "accessToken": true, "X-Amz-Signature": true, "X-Amz-Security-Token": true, "sig": true,
		"password": true, "passwd": true, "X-Auth-User": true, "client_secret": true, "JSESSIONID": true, "PHPSESSID": true, "connect.sid": true,
		"X-CSRF-Token": true, "jwt": true, "otp": true, "user[password]": true, "X-Goog-Credential": true, "WWW-Authenticate": true,
		"page": false, "author": false, "monkey": false, "keyboard": false, "passenger": false, "compass": false, "User-Agent": false, "Accept": false,
		"side": false, "signal": false, "spin": false, "pinned": false, "design": false, "": false, "X-Request-Id": false,
		"X-Shown-Token": false, "x-shown-token": false, "MY_KEY": false, "my-key": true,
		strings.Repeat("a", maxName+1): true,
	} {
		if got := d.hides(name); got != want {
			t.Errorf("%q: hidden %t, want %t", name, got, want)
		}
	}
}

func TestRedactedURIs(t *testing.T) {
	t.Parallel()
	d := newRedactor([]string{"shown_token"})
	for uri, want := range map[string]string{
		"":                              "",
		"/":                             "/",
		"/?":                            "/?",
		"/?a=1&b":                       "/?a=1&b",
		"/?token=x":                     "/?token=[redacted]",
		"/?token=":                      "/?token=",
		"/?token":                       "/?token",
		"/?a=1&token=x&b=2":             "/?a=1&token=[redacted]&b=2",
		"/?a=1;token=x;b=2":             "/?a=1;token=[redacted];b=2",
		"/?to%6ben=x":                   "/?to%6ben=[redacted]",
		"/?TOKEN=x&Token=y":             "/?TOKEN=[redacted]&Token=[redacted]",
		"/?token=a=b=c":                 "/?token=[redacted]",
		"/?shown_token=x":               "/?shown_token=x",
		"/?code=x&state=y":              "/?code=[redacted]&state=y",
		"/#access_token=x":              "/#access_token=[redacted]",
		"/a#b":                          "/a#b",
		"/?next=/b?token=x":             "/?next=[redacted]",
		"/?next=%2Fb%3Fa%3D1%26token=x": "/?next=[redacted]",
		"/?next=%2Fb%3Fa%3D1":           "/?next=%2Fb%3Fa%3D1",
		"/token=x":                      "/token=x",
		"/?%zz=1&token=x":               "/?%zz=1&token=[redacted]",
		"/?&&=&=x&token=x":              "/?&&=&=x&token=[redacted]",
		"/?user%5Bpassword%5D=x":        "/?user%5Bpassword%5D=[redacted]",
	} {
		if got := string(d.appendURI(nil, uri)); got != want {
			t.Errorf("%s: got %s, want %s", uri, got, want)
		}
	}
}

// FuzzRedact: in any query, the value of a token is hidden. A query without secrets
// does not change.
func FuzzRedact(f *testing.F) {
	f.Add("a=1", "b=2")
	f.Add("%", ";#")
	f.Fuzz(func(t *testing.T, before, after string) {
		const value = "Zq9vK7"
		got := string(redactor{}.appendURI(nil, "/?"+before+"&token="+value+"&"+after))
		if strings.Contains(got, value) && !strings.Contains(before+after, value) {
			t.Errorf("%s", got)
		}
	})
}
