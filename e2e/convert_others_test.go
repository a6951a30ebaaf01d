package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// otherStyles are configurations of Caddy and Traefik.
var otherStyles = []style{
	{"blog.caddyfile", `
		front GET blog.example.com /
		front GET blog.example.com /old/page?x=1
		front GET blog.example.com /gone?x=1
		front GET blog.example.com /feed?x=1
		front GET blog.example.com /api/users?x=1 Authorization: secret
		front GET blog.example.com /api/
		front GET blog.example.com /api
		front GET blog.example.com /static/app.js
		front POST blog.example.com /form
		front POST blog.example.com /api/form
		front GET shop.example.com /app/x
		front GET shop.example.com /x
		front GET other.test /x?y=z
		front GET blog.example.com /chat Upgrade: echo`, 0},
	{"office.caddyfile", `
		front GET localhost /
		front GET localhost /admin/x
		front GET localhost /ADMIN/x
		front GET localhost /admin
		front GET localhost /metrics
		front GET localhost /metrics/x
		front POST localhost /readonly/x
		front POST localhost /ReadOnly/x
		front GET localhost /readonly/x
		front GET localhost / X-Canary: always
		front GET localhost /stable/x X-Canary: always
		front GET localhost /.git/config
		front GET localhost /site.BAK
		front GET localhost /a/secret.txt
		front GET localhost /a/b/secret.txt
		inside GET localhost /
		inside GET localhost /health
		inside GET localhost /Health`, 0},
	{"paths.caddyfile", `
		front GET localhost /
		front GET localhost /user/bob?x=1
		front GET localhost /user/7
		front GET localhost /exact?x=1
		front GET localhost /exact/x
		front GET localhost /all/x?y=z
		front GET localhost /routed/first
		front GET localhost /routed/two
		front GET localhost /routed/three
		front GET localhost /deep/inner/x?y=z
		front GET localhost /deep/file
		front GET localhost /deep/other
		front GET localhost /shared/x
		front GET localhost /suffix/a.html
		front GET localhost /suffix/a.htm
		front GET localhost /regexp/v3/x
		front GET localhost /regexp/vx/x
		front GET localhost /v2/x
		front GET localhost /only
		front GET localhost /here
		front GET localhost /code?x=1`, 0},
	{"values.caddyfile", `
		front GET localhost /?debug=1
		front GET localhost /?debug=2
		front GET localhost /?debug=2&debug=yes
		front GET localhost /?Debug=1
		front GET localhost /?d%65bug=%31
		front GET localhost /?empty
		front GET localhost /?empty=
		front GET localhost /?empty=x
		front GET localhost / User-Agent: a robot
		front GET localhost / User-Agent: a Bot
		front GET localhost / User-Agent: curl/8
		front GET localhost / User-Agent: not curl/8
		front GET localhost /a?b=c X-Version: 1-old
		front GET localhost /a?b=c X-Version: 1-older
		front GET localhost / X-Number: 17
		front GET localhost / X-Number: 18
		front GET localhost / X-Number: x17
		front GET localhost /item/shoe/17
		front GET localhost /item/shoe/x
		front GET example.com /where?x=1
		front GET Example.com:8080 /query?x=1&y=%2F
		front GET example.com:8080 /query
		front GET example.com /one?page=7&x=8
		front POST example.com /login
		front POST example.com /login?token=
		front POST example.com /login?token=x
		front GET example.com /api/x?user=bob&x=1 X-Mine: 17
		front GET example.com /api/x X-User: root
		front GET example.com /api/x Cookie: session=abc; b=c
		front GET example.com /a/b?c=d`, 0},
	{"modern.caddyfile", `
		front GET localhost /
		front GET localhost /quiet/x
		front GET localhost /hashed?user=a
		front GET localhost /hashed?user=a
		front GET localhost /hashed`, 0},
	{"values.yaml", `
		front GET abc.example.com /
		front GET ABC.example.com /
		front GET abc1.example.com /
		front GET abc.example.com.test /
		front GET a.inside.test /
		front GET ab.old.test /
		front GET AB.old.test /
		front GET abc.old.test /
		front GET a.b.older.test /
		front GET b.older.test /
		front GET x.y.test /
		front GET xay.test /
		front GET localhost /list?page=2
		front GET localhost /list?page=3
		front GET localhost /list?page=3&page=2
		front GET localhost /list?Page=2
		front GET localhost /list?page=%32
		front GET localhost /list
		front GET localhost /bare
		front GET localhost /bare?bare
		front GET localhost /bare?bare=
		front GET localhost /bare?bare=x
		front GET localhost /digits?n=17
		front GET localhost /digits?n=x17
		front GET localhost /digits?n=
		front GET localhost /digits
		front GET localhost /not
		front GET localhost /not?n=1
		front GET localhost /not?n=2
		front GET localhost /two?a=1&b=xy
		front GET localhost /two?a=1&b=xyz
		front GET localhost /two?b=x
		front GET localhost / User-Agent: A Robot
		front GET localhost / User-Agent: a browser
		front GET localhost /h2 X-A: bcd
		front GET localhost /h2 X-A: abcd`, 0},
	{"secure.caddyfile", `
		front GET example.com /page?x=1
		front GET plain.example.com /page?x=1
		secure GET example.com /
		secure GET www.example.com /page?x=1
		secure GET app.example.com /api/x
		secure GET app.example.com /x
		secure GET plain.example.com /x`, 0},
	{"routes.json", `
		front GET a.example.com /
		front GET b.example.com /
		front GET c.example.com /
		front GET a.example.com /blocked/x
		front GET c.example.com / X-Blocked: yes
		front GET c.example.com /api/v1/x?y=z
		front HEAD c.example.com /api/v1/x
		front GET c.example.com /api/none
		front GET c.example.com /api/other
		front POST c.example.com /api/v1/x
		front POST c.example.com /open/x
		front POST c.example.com /x`, 0},
	{"rules.yaml", `
		front GET www.example.com /
		front GET WWW.Example.com /x?y=z
		front GET example.com /api/x
		front GET www.example.com /api/x
		front GET www.example.com /apix
		front GET app.example.com /
		front GET app.example.com /admin
		front GET app.example.com /administrator
		front GET app.example.com /admin/x X-Key: secret
		front GET app.example.com /admin/x X-Key: other
		front POST app.example.com /forms/x
		front POST other.example.com /forms/x
		front PUT other.example.com /submit
		front PUT other.example.com /submit/x
		front GET other.example.com /submit
		front GET files.example.com /a.jpeg
		front GET files.example.com /a.JPEG
		front GET files.example.com /a.gif
		front GET a.tenants.example.com /
		front GET a.b.tenants.example.com /
		front GET tenants.example.com /
		front GET www.example.com /first/x
		front GET nobody.test /first
		front GET nobody.test /local
		front GET nobody.test /remote
		front GET older.example.com /user/7/x
		front GET older.example.com /user/x`, 0},
}

var otherPrograms sync.Map // paths by name

// proxyProgram is another proxy, built from its module; the first time takes minutes.
func proxyProgram(t *testing.T, name string) string {
	t.Helper()
	build := sync.OnceValues(func() (string, error) {
		c := exec.Command("go", "tool", "-n", name)
		if c.Dir = "proxies"; name == "traefik" { // its rules, see there
			path := filepath.Join(filepath.Dir(built.goodgate), name)
			c = exec.Command("go", "build", "-o", path, ".")
			c.Dir = filepath.Join("proxies", name)
			return path, c.Run()
		}
		out, err := c.Output()
		return strings.TrimSpace(string(out)), err
	})
	once, _ := otherPrograms.LoadOrStore(name, build)
	path, err := once.(func() (string, error))()
	if err != nil {
		lack(t, "%s does not build: %v", name, err)
	}
	return path
}

// other runs the proxy that a configuration is for, unless that is nginx or HAProxy.
func (v *conversion) other(file string) *process {
	v.Helper()
	env := []string{"XDG_DATA_HOME=" + v.path("caddy"), "XDG_CONFIG_HOME=" + v.path("caddy")}
	switch ext := filepath.Ext(file); {
	case ext == ".caddyfile":
		return startProcess(v.T, "caddy", env, proxyProgram(v.T, "caddy"), "run", "--config", file, "--adapter", "caddyfile")
	case ext == ".json":
		return startProcess(v.T, "caddy", env, proxyProgram(v.T, "caddy"), "run", "--config", file)
	case len(static(file)) > 0:
		return startProcess(v.T, "traefik", nil, proxyProgram(v.T, "traefik"), v.front, file)
	}
	return nil
}

// static returns the arguments for the static configuration of Traefik.
func static(file string) []string {
	other := strings.TrimSuffix(file, ".yaml") + ".static.yaml"
	if _, err := os.Stat(other); err != nil || other == file {
		return nil
	}
	return []string{"--static", other}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

func hostOf(address string) string {
	host, _, _ := net.SplitHostPort(address)
	return host
}
