//go:build !minimal

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/printable"
)

// fileDiff is the difference that a new configuration makes.
type fileDiff struct {
	Old     string          `json:"old"` // file, or address of the running goodgate
	New     string          `json:"new"`
	Changes []config.Change `json:"changes"`
	Effects []string        `json:"effects"`
}

func newDiff() *cobra.Command {
	var a caller
	form := choice{of: []string{"text", "json"}}
	c := &cobra.Command{
		Use:   "diff [OLD] NEW",
		Short: "Show what a new configuration file would change",
		Long: `Show the differences between two configuration files, or between a running goodgate
and a file: added and removed pools, routes and upstreams, changed settings, and
how a reload affects connections and breakers. Only changes to fleet and state.file
need a new process.

diff compares the meaning of the files, with defaults, included files and references
filled in; comments and layout do not count. Against a running goodgate it cannot see
a changed secret, because the API hides secrets, and it leaves out the changes that
operators made at run time.

Exit codes: 0 the comparison succeeded, with or without differences, 2 a file is not good.`,
		Example:           "  goodgate diff /etc/goodgate.yaml new.yaml\n  goodgate diff --admin 127.0.0.1:9900 new.yaml",
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt),
		RunE: func(c *cobra.Command, args []string) error {
			d := fileDiff{New: args[len(args)-1]}
			next, _, err := config.Load(d.New)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			switch {
			case len(args) == 2 && a.address+a.file != "":
				return wrong(c, "diff compares NEW with OLD or with a running goodgate: OLD excludes --admin and --config")
			case len(args) == 2:
				d.Old = args[0]
				old, _, err := config.Load(d.Old)
				if err != nil {
					return &exitError{exitUsage, err}
				}
				d.Changes = config.Diff(old, next)
			default:
				if d.Old, d.Changes, err = fromRunning(c.Context(), &a, next); err != nil {
					return &exitError{exitFailed, err}
				}
			}
			d.Effects = effects(d.Changes)
			if form.value == "json" {
				e := json.NewEncoder(printable.Writer{To: c.OutOrStdout(), Form: printable.JSON})
				e.SetIndent("", "  ")
				return e.Encode(d)
			}
			for _, change := range d.Changes {
				printable.Fprintln(c.OutOrStdout(), change)
			}
			if len(d.Changes) == 0 {
				printable.Fprintln(c.OutOrStdout(), "no differences")
			}
			for _, e := range d.Effects {
				printable.Fprintln(c.OutOrStdout(), "reload:", e)
			}
			return nil
		},
	}
	a.flags(c)
	c.Flags().VarP(&form, "output", "o", "output format: text or json (default text)")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(form.of, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// fromRunning compares the configuration of a running goodgate with next.
func fromRunning(ctx context.Context, a *caller, next *config.Config) (address string, changes []config.Change, err error) {
	client, err := a.client(ctx)
	if err != nil {
		return "", nil, err
	}
	var text []byte
	if err := client.Get(ctx, "/v1/config", &text); err != nil {
		return "", nil, err
	}
	changes, err = config.DiffDumps(text, config.Dump(next))
	if err != nil {
		return "", nil, &admin.NotGoodgate{Address: client.Address, Err: err}
	}
	return client.Address, changes, nil
}

// effects describes what a reload of these changes does besides using them.
func effects(changes []config.Change) (list []string) {
	add := func(format, name string) {
		if text := fmt.Sprintf(format, name); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	restart := false
	for _, c := range changes {
		keys := strings.Split(c.Path, ".")
		switch {
		case keys[0] == "fleet", keys[0] == "state":
			restart = true
			add("changed %s settings need a new process (SIGUSR2 or a restart)", keys[0])
		case strings.HasPrefix(c.Path, "listeners["):
			name, _, isOption := strings.Cut(strings.TrimPrefix(c.Path, "listeners["), "].")
			name = strings.TrimSuffix(name, "]")
			switch {
			case isOption:
				add("listener %s keeps its socket open; its connections close after their next response", name)
			case c.What == "removed":
				add("listener %s stops accepting; its connections drain (shutdown.lame_duck, shutdown.grace)", name)
			case c.What == "added":
				add("listener %s opens; if its address is in use, the whole reload fails", name)
			}
		case keys[0] != "pools" || len(keys) < 2:
		case len(keys) == 2 && c.What == "added":
			add("pool %s starts; its requests wait up to 2s for the first available upstream", keys[1])
		case len(keys) == 2 && c.What == "removed":
			add("pool %s ends; its requests in flight finish", keys[1])
		case len(keys) > 3 && keys[2] == "breaker" && keys[3] != "statuses":
			add("the breakers of pool %s reset to closed", keys[1])
		case len(keys) > 2 && slices.Contains([]string{"timeouts", "tls", "max_idle_conns", "requests_per_connection"}, keys[2]):
			add("pool %s replaces its upstream connections as their requests end", keys[1])
		}
	}
	if len(changes) > 0 && !restart {
		list = append(list, "no change needs a restart")
	}
	return list
}
