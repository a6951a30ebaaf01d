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

// fileDiff is what a new configuration would change.
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
		Long: `Show what differs between two configuration files, or between a running goodgate
and a file: pools, routes and upstreams that come and go, settings that change, and
what a reload does to connections and breakers. No setting needs a restart.

Files are compared by what they say, with defaults, included files and references
filled in; comments and layout do not count. Against a running goodgate a change of a
secret does not show, because the API hides secrets, and the changes that operators
made at run time are not part of the comparison.

Exit codes: 0 there may be differences, 2 a file is not good.`,
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
				return wrong(c, "diff compares NEW with OLD or with a running goodgate: give one of them")
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
				printable.Fprintln(c.OutOrStdout(), "they say the same")
			}
			for _, e := range d.Effects {
				printable.Fprintln(c.OutOrStdout(), "reload:", e)
			}
			return nil
		},
	}
	a.flags(c)
	c.Flags().VarP(&form, "output", "o", "form of what is printed: text or json (default text)")
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

// effects says what a reload of these changes does beside putting them into use.
func effects(changes []config.Change) (list []string) {
	add := func(format, name string) {
		if text := fmt.Sprintf(format, name); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for _, c := range changes {
		keys := strings.Split(c.Path, ".")
		switch {
		case strings.HasPrefix(c.Path, "listeners["):
			name, _, isOption := strings.Cut(strings.TrimPrefix(c.Path, "listeners["), "].")
			name = strings.TrimSuffix(name, "]")
			switch {
			case isOption:
				add("listener %s passes its socket on without a gap; its connections close after their next response", name)
			case c.What == "removed":
				add("listener %s stops accepting; its clients get shutdown.lame_duck and shutdown.grace", name)
			case c.What == "added":
				add("listener %s opens; if its address is taken, nothing changes", name)
			}
		case keys[0] != "pools" || len(keys) < 2:
		case len(keys) == 2 && c.What == "added":
			add("pool %s starts; its requests wait up to 2s for a first available upstream", keys[1])
		case len(keys) == 2 && c.What == "removed":
			add("pool %s ends; its requests in flight finish", keys[1])
		case len(keys) > 3 && keys[2] == "breaker" && keys[3] != "statuses":
			add("the breakers of pool %s start again, closed", keys[1])
		case len(keys) > 2 && slices.Contains([]string{"timeouts", "tls", "max_idle_conns"}, keys[2]):
			add("the upstream connections of pool %s are replaced as their requests end", keys[1])
		}
	}
	if len(changes) > 0 {
		list = append(list, "no change needs a restart")
	}
	return list
}
