//go:build !minimal

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
	"github.com/goodgate/goodgate/internal/printable"
)

func newDiscover() *cobra.Command {
	var file string
	form := choice{of: []string{"text", "json"}}
	c := &cobra.Command{
		Use:   "discover [SOURCE|POOL ...]",
		Short: "Show the upstreams that a discovery source reports, and those left out",
		Long: `Ask sources of upstreams once, and print their answers: every upstream with its
weight, tier, zone and state, and every candidate that goodgate leaves out, with
the reason. discover sends nothing to the upstreams.

SOURCE is an entry as in the upstreams of a configuration, for example 'consul: web',
'docker: {label: app, reach: published}', 'srv: _http._tcp.example.com' or a URL.
With --config, POOL selects the sources of a pool; without an argument, discover
asks the sources of all pools.

Exit codes: 0 every source answered, 2 the command line or the configuration is
wrong, 3 a source gave no usable answer.`,
		Example: "  goodgate discover 'consul: web'\n  goodgate discover --config /etc/goodgate.yaml app\n  goodgate discover -o json 'docker: com.docker.compose.service=web'",
		RunE: func(c *cobra.Command, args []string) error {
			asked, err := asked(file, args)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			lookAt(c.Context(), asked)
			if form.value == "json" {
				err = writeFoundJSON(c.OutOrStdout(), asked)
			} else {
				writeFound(c.OutOrStdout(), asked)
			}
			if err != nil {
				return &exitError{exitFailed, err}
			}
			if slices.ContainsFunc(asked, func(s *foundSource) bool { return s.Error != "" }) {
				return &exitError{code: exitUnanswered}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file with the pools")
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// foundSource is a source with its upstreams.
type foundSource struct {
	Pool    string          `json:"pool,omitempty"`
	Source  string          `json:"source"`
	Error   string          `json:"error,omitempty"`
	Found   []foundUpstream `json:"upstreams"`
	LeftOut []leftOut       `json:"left_out"`

	entry config.Upstream
	dns   config.DNS
}

type foundUpstream struct {
	Address     string            `json:"address"`
	Name        string            `json:"name,omitempty"`
	TLS         bool              `json:"tls"`
	Weight      int               `json:"weight"`
	Tier        int               `json:"tier"`
	MaxInFlight int               `json:"max_in_flight,omitempty"`
	Zone        string            `json:"zone,omitempty"`
	Lifecycle   string            `json:"lifecycle"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

type leftOut struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// sourcesAtOnce bounds concurrent lookups.
const sourcesAtOnce = 8

// asked returns the sources that a command line selects.
func asked(file string, args []string) (list []*foundSource, err error) {
	var cfg *config.Config
	if file != "" {
		if cfg, _, err = config.Load(file); err != nil {
			return nil, err
		}
		if len(args) == 0 {
			args = slices.Sorted(maps.Keys(cfg.Pools))
		}
	}
	if len(args) == 0 {
		return nil, errors.New("no source given: write one as in a configuration, such as 'consul: web', or name a file with --config")
	}
	for _, arg := range args {
		name, pool := arg, config.Pool{}
		if cfg != nil {
			pool = cfg.Pools[arg]
		}
		if pool.Upstreams == nil {
			if !strings.Contains(arg, ":") {
				return nil, fmt.Errorf("%q is neither a source, such as 'consul: %s', nor a pool of the --config file", arg, arg)
			}
			if name = ""; strings.ContainsAny(arg, "\r\n") {
				return nil, errors.New("a source must be one line")
			}
			if pool, err = config.Entry(arg, os.LookupEnv); err != nil {
				return nil, err
			}
		}
		for _, u := range pool.Upstreams {
			list = append(list, &foundSource{Pool: name, Source: u.Source(), Found: []foundUpstream{}, LeftOut: []leftOut{}, entry: u, dns: pool.DNS})
		}
	}
	return list, nil
}

// lookAt asks each source once.
func lookAt(ctx context.Context, list []*foundSource) {
	places := make(chan struct{}, sourcesAtOnce)
	var wg sync.WaitGroup
	for _, s := range list {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			s.look(ctx)
		})
	}
	wg.Wait()
}

func (s *foundSource) look(ctx context.Context) {
	found, out, err := assemble.Discover(ctx, s.entry, s.dns)
	if err != nil {
		s.Error = strings.TrimPrefix(err.Error(), s.Source+": ")
	}
	for _, t := range found {
		s.Found = append(s.Found, foundUpstream{Address: t.Addr, Name: t.Name, TLS: t.TLS, Weight: max(t.Weight, 1), Tier: t.Tier,
			MaxInFlight: t.MaxInFlight, Zone: t.Zone, Lifecycle: t.Lifecycle.String(), Metadata: t.Metadata.Map()})
	}
	for _, l := range out {
		s.LeftOut = append(s.LeftOut, leftOut(l))
	}
}

func writeFoundJSON(out io.Writer, list []*foundSource) error {
	e := json.NewEncoder(printable.Writer{To: out, Form: printable.JSON})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(map[string]any{"sources": list})
}

func writeFound(out io.Writer, list []*foundSource) {
	for _, s := range list {
		title := strings.TrimPrefix(s.Source, "url: ")
		if s.Pool != "" {
			title = "pool " + s.Pool + ", " + title
		}
		counts := count(len(s.Found), "upstream")
		if len(s.LeftOut) > 0 {
			counts += fmt.Sprintf(", %d left out", len(s.LeftOut))
		}
		if s.Error != "" && len(s.Found) == 0 {
			printable.Fprintf(out, "%s: failed: %s\n", title, s.Error)
			continue
		}
		printable.Fprintf(out, "%s: %s\n", title, counts)
		if s.Error != "" {
			printable.Fprintf(out, "  incomplete, a lookup failed: %s\n", s.Error)
		}
		for _, u := range s.Found {
			printable.Fprintln(out, "  "+u.line())
		}
		for _, l := range s.LeftOut {
			printable.Fprintf(out, "  left out: %s: %s\n", l.What, l.Why)
		}
	}
}

// line describes an upstream in one line.
func (u foundUpstream) line() string {
	scheme := "http://"
	switch {
	case strings.HasPrefix(u.Address, "unix:"):
		scheme = ""
	case u.TLS:
		scheme = "https://"
	}
	words := []string{fmt.Sprintf("%-28s %s", scheme+u.Address, map[string]string{
		discovery.Serving.String(): "serving", discovery.NotReady.String(): "not ready", discovery.Terminating.String(): "terminating"}[u.Lifecycle])}
	for _, w := range []struct {
		say  bool
		text string
	}{
		{u.Name != "" && !strings.HasPrefix(u.Address, u.Name+":"), "name " + u.Name},
		{u.Weight != 1, fmt.Sprint("weight ", u.Weight)}, {u.Tier != 0, fmt.Sprint("tier ", u.Tier)},
		{u.MaxInFlight != 0, fmt.Sprint("max_in_flight ", u.MaxInFlight)}, {u.Zone != "", "zone " + u.Zone},
	} {
		if w.say {
			words = append(words, w.text)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(u.Metadata)) {
		if u.Metadata[key] != "" {
			words = append(words, key+"="+u.Metadata[key])
		}
	}
	return strings.Join(words, "  ")
}
