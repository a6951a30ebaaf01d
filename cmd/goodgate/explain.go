//go:build !minimal

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/reason"
)

// explained is the output of explain.
type explained struct {
	*gate.Explanation
	RouteSettings []config.Setting  `json:"route_settings,omitempty"`
	PoolSettings  []config.Setting  `json:"pool_settings,omitempty"`
	Upstreams     []explainUpstream `json:"upstreams,omitempty"`
	Running       string            `json:"running,omitempty"` // address of the goodgate that reported the health; empty = none

	asked gate.Question
}

// explainUpstream is an upstream of the pool: as configured, or with the health that a
// running goodgate reports.
type explainUpstream struct {
	Address   string `json:"address"`
	Available *bool  `json:"available,omitempty"` // absent = unknown
	Why       string `json:"why,omitempty"`
}

func newExplain() *cobra.Command {
	q := gate.Question{Header: http.Header{}}
	var file, client string
	var fields []string
	form := choice{of: []string{"text", "json"}}
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Show how a configuration handles a request, and why",
		Long: `Show how a configuration handles a request: the matching route, why earlier routes do
not match, the settings of the route and its pool, and the request that an upstream gets.
If goodgate answers the request itself, explain shows that answer and its reason.

explain sends nothing to the upstreams: it simulates each pool with one upstream that
answers at once. Rate limits do not count the request, and forward auth allows it. If a
goodgate answers at the file's admin.address, explain shows the health of its upstreams.
It hides the values of headers that the route sets, because they may be secrets.`,
		Example: `  goodgate explain -c goodgate.yaml https://shop.example.com/cart
  goodgate explain -c goodgate.yaml -X POST -H "Cookie: beta=1" http://shop.example.com/`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			q.URL = args[0]
			if file == "" {
				return wrong(c, "explain needs --config")
			}
			if q.Client, err = netip.ParseAddr(client); err != nil {
				return wrong(c, "--client %q: expected an IP address", client)
			}
			for _, f := range fields {
				name, value, ok := strings.Cut(f, ":")
				if name = strings.TrimSpace(name); !ok || name == "" {
					return wrong(c, "--header %q: expected \"Name: value\"", f)
				}
				q.Header.Add(name, strings.TrimSpace(value))
			}
			e, err := explain(c.Context(), file, q)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			if form.value == "json" {
				out := json.NewEncoder(printable.Writer{To: c.OutOrStdout(), Form: printable.JSON})
				out.SetIndent("", "  ")
				out.SetEscapeHTML(false)
				return out.Encode(e)
			}
			e.write(c.OutOrStdout())
			return nil
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration `FILE`")
	c.MarkFlagFilename("config", "yaml", "yml")
	c.Flags().StringVarP(&q.Method, "request", "X", http.MethodGet, "`METHOD` of the request")
	c.Flags().StringArrayVarP(&fields, "header", "H", nil, "header of the request, as \"`NAME: VALUE`\"; may be repeated")
	c.Flags().StringVar(&q.Listener, "listener", "", "`NAME` or address of the listener (default: the one that fits the URL best)")
	c.Flags().StringVar(&client, "client", "127.0.0.1", "IP `ADDRESS` of the client")
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func explain(ctx context.Context, file string, q gate.Question) (*explained, error) {
	cfg, _, err := assemble.Load(file)
	if err != nil {
		return nil, err
	}
	trial, err := gate.Explain(ctx, cfg, q)
	if err != nil {
		return nil, err
	}
	e := &explained{Explanation: trial, asked: q}
	if e.RouteAt >= 0 {
		e.RouteSettings = cfg.RouteSettings(e.RouteAt)
	}
	if _, ok := cfg.Pools[e.Pool]; ok {
		e.PoolSettings = cfg.PoolSettings(e.Pool)
		e.upstreams(ctx, cfg, file)
	}
	return e, nil
}

// upstreams sets the upstreams of the pool, from the running goodgate or else from the
// file.
func (e *explained) upstreams(ctx context.Context, cfg *config.Config, file string) {
	var s admin.Status
	a := caller{file: file}
	if client, err := a.client(ctx); err == nil && client.Get(ctx, "/v1/status", &s) == nil {
		for _, p := range s.Pools {
			if p.Name != e.Pool {
				continue
			}
			e.Running = client.Address
			for _, u := range p.Upstreams {
				e.Upstreams = append(e.Upstreams, explainUpstream{cmp.Or(u.Name, u.Address), &u.Available, u.Why})
			}
		}
	}
	if e.Running != "" {
		return
	}
	for _, u := range cfg.Pools[e.Pool].Upstreams {
		e.Upstreams = append(e.Upstreams, explainUpstream{Address: strings.TrimPrefix(u.Source(), "url: ")})
	}
}

func (e *explained) write(out io.Writer) {
	printable.Fprintf(out, "%s %s at listener %s, from %s\n", e.asked.Method, e.asked.URL, e.Listener, e.Client)
	printable.Fprintf(out, "\nroutes:\n")
	for _, r := range e.Routes {
		word, why := "no ", strings.Join(r.Unmet, "; ")
		if r.Matches {
			word, why = "yes", ""
		}
		printable.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %s  %-20s %-24s %s", word, r.Route, r.Place, why), " "))
	}
	switch {
	case e.Route != "":
	case e.Reason == reason.NoRoute.String():
		printable.Fprintln(out, "  none matches")
	default:
		printable.Fprintln(out, "  none tried: goodgate refuses the request before routing")
	}
	writeSettings(out, "route "+e.Route, e.RouteSettings)
	if e.Pool != "" {
		writeSettings(out, "pool "+e.Pool, e.PoolSettings)
		e.writeUpstreams(out)
	}
	if e.Forwarded == nil {
		e.writeAnswer(out)
		return
	}
	f := e.Forwarded
	printable.Fprintf(out, "\nan upstream gets:\n  %s %s\n  Host: %s\n", f.Method, f.Target, cmp.Or(f.Host, "(the upstream's own)"))
	for _, name := range slices.Sorted(maps.Keys(f.Header)) {
		for _, value := range f.Header[name] {
			printable.Fprintf(out, "  %s: %s\n", name, value)
		}
	}
}

func writeSettings(out io.Writer, title string, list []config.Setting) {
	if len(list) == 0 {
		return
	}
	printable.Fprintf(out, "\n%s:\n", title)
	for _, s := range list {
		from := ""
		if s.Inherited {
			from = "  (from defaults)"
		}
		printable.Fprintf(out, "  %s: %s%s\n", s.Key, s.Value, from)
	}
}

func (e *explained) writeUpstreams(out io.Writer) {
	health := "health unknown: no running goodgate answered"
	if e.Running != "" {
		health = "health from " + e.Running
	}
	printable.Fprintf(out, "\nupstreams of %s (%s):\n", e.Pool, health)
	for _, u := range e.Upstreams {
		state := ""
		switch {
		case u.Available == nil:
		case *u.Available:
			state = "  available"
		default:
			state = "  not available"
		}
		if u.Why != "" && u.Why != "available" {
			state += ": " + u.Why
		}
		printable.Fprintf(out, "  %s%s\n", u.Address, state)
	}
}

// writeAnswer prints goodgate's own answer.
func (e *explained) writeAnswer(out io.Writer) {
	text := fmt.Sprintf("goodgate answers %d", e.Status)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	if e.Location != "" {
		text += ", Location: " + e.Location
	}
	printable.Fprintf(out, "\n%s\n", text)
}
