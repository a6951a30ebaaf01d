// Traefik sends each request on to the first server of the service whose router Traefik's
// own rules choose. It has none of Traefik's middlewares: Traefik as a whole needs
// libraries that cannot be had.
//
//	traefik ADDRESS DYNAMIC.yaml
package main

import (
	"cmp"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"

	"github.com/traefik/traefik/v3/pkg/middlewares/requestdecorator"
	muxer "github.com/traefik/traefik/v3/pkg/muxer/http"
	"gopkg.in/yaml.v3"
)

type dynamic struct {
	HTTP struct {
		Routers map[string]struct {
			Rule     string
			Syntax   string `yaml:"ruleSyntax"`
			Priority int
			Service  string
		}
		Services map[string]struct {
			LoadBalancer struct{ Servers []struct{ URL string } } `yaml:"loadBalancer"`
		}
	}
}

func main() {
	m, err := load(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	decorate := requestdecorator.New(nil)
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decorate.ServeHTTP(w, r, m.ServeHTTP)
	})))
}

func load(file string) (*muxer.Muxer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config dynamic
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	parser, err := muxer.NewSyntaxParser()
	if err != nil {
		return nil, err
	}
	m := muxer.NewMuxer(parser, nil)
	for _, r := range config.HTTP.Routers {
		to, err := url.Parse(config.HTTP.Services[r.Service].LoadBalancer.Servers[0].URL)
		if err != nil {
			return nil, err
		}
		proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host
		}}
		if err := m.AddRoute(r.Rule, r.Syntax, cmp.Or(r.Priority, muxer.GetRulePriority(r.Rule)), "file", proxy); err != nil {
			return nil, err
		}
	}
	return m, nil
}
