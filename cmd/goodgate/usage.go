package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/goodgate/goodgate/internal/edition"
	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/internal/similar"
)

// usageError is a mistake on a command's command line.
type usageError struct {
	command *cobra.Command
	text    string
}

func (e *usageError) Error() string { return e.text }

// help returns the text to print below the mistake.
func (e *usageError) help() string {
	more := "more: " + e.command.CommandPath() + " --help"
	switch {
	case e.command.Example != "":
		first, _, _ := strings.Cut(strings.TrimSpace(e.command.Example), "\n")
		return "example: " + first + "\n" + more
	case e.command.HasSubCommands():
		return more
	}
	return "usage: " + e.command.UseLine() + "\n" + more
}

// wrong returns a mistake on the command line of c.
func wrong(c *cobra.Command, format string, args ...any) error {
	return &usageError{c, printable.Sprintf(format, args...)}
}

// speak replaces cobra's messages about command lines, for a command and its subcommands,
// by goodgate's: cobra's use the terms of a library.
func speak(c *cobra.Command) {
	c.SetFlagErrorFunc(badFlag)
	takes := c.Args
	if takes == nil {
		takes = cobra.ArbitraryArgs
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if takes(c, args) != nil {
			return badArguments(c, args)
		}
		return emptyArgument(c, args)
	}
	if c.PreRunE == nil {
		c.PreRunE = func(c *cobra.Command, _ []string) error { return badGroups(c) }
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return badCommand(c, args[0])
			}
			return c.Help()
		}
	}
	for _, sub := range c.Commands() {
		speak(sub)
	}
}

// nameOf returns the name of a command without the program's, which the message already
// has in front.
func nameOf(c *cobra.Command) string {
	_, name, _ := strings.Cut(c.CommandPath(), " ")
	return name
}

// badArguments compares the arguments with the usage line.
func badArguments(c *cobra.Command, args []string) error {
	all, needed := argumentsOf(c.Use)
	switch {
	case len(all) == 0:
		return wrong(c, "%s takes no argument: unexpected %q", nameOf(c), args[0])
	case len(args) < len(needed):
		return wrong(c, "%s needs the %s", nameOf(c), arguments(needed[len(args):]))
	case len(args) > len(all):
		return wrong(c, "%s takes only the %s: unexpected %q", nameOf(c), arguments(all), args[len(all)])
	}
	return wrong(c, "%s: %s: found %q", nameOf(c), strings.Join(all, " and "), args)
}

// emptyArgument refuses an empty argument: in a script, the variable with the name was not
// set.
func emptyArgument(c *cobra.Command, args []string) error {
	names, _ := argumentsOf(c.Use)
	i := slices.Index(args, "")
	if i < 0 || len(names) == 0 {
		return nil
	}
	return wrong(c, "%s: the argument %s is empty", nameOf(c), names[min(i, len(names)-1)])
}

// argumentsOf returns the names of the arguments in a usage line, in order, and those
// among them that must not be left out.
func argumentsOf(use string) (all, needed []string) {
	_, rest, _ := strings.Cut(use, " ")
	rest, _, _ = strings.Cut(rest, " --") // flags
	for rest != "" {
		word, after, _ := strings.Cut(rest, " ")
		optional := rest[0] == '['
		if optional {
			word, after, _ = strings.Cut(rest[1:], "]")
			if outer, inner, nested := strings.Cut(word, " ["); nested {
				word, after = outer, "["+inner+"]"
			}
		}
		word = strings.ReplaceAll(strings.TrimSpace(strings.TrimSuffix(word, "...")), " | ", " or ")
		if all = append(all, word); !optional {
			needed = append(needed, word)
		}
		rest = strings.TrimSpace(after)
	}
	return all, needed
}

func arguments(names []string) string {
	if len(names) == 1 {
		return "argument " + names[0]
	}
	return "arguments " + strings.Join(names, " and ")
}

// badFlag describes the mistake in a flag.
func badFlag(c *cobra.Command, err error) error {
	if name := c.Flags().Arg(0); name != "" && c.HasSubCommands() && c.Use == c.Name() {
		return badCommand(c, name)
	}
	if e, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + e.GetSpecifiedName()
		if e.GetSpecifiedShortnames() != "" {
			name = "-" + e.GetSpecifiedName()
		}
		return wrong(c, "%s has no flag %s%s", cmp.Or(nameOf(c), "goodgate"), name, nearFlag(c, e.GetSpecifiedName()))
	}
	if e, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		_, takes := pflag.UnquoteUsage(e.GetFlag())
		return wrong(c, "--%s needs a value: %s", e.GetFlag().Name, takes)
	}
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return wrong(c, "--%s %q: %s", e.GetFlag().Name, e.GetValue(), expected(e))
	}
	if e, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return wrong(c, "%q is not a flag: write --name or --name=value", e.GetSpecifiedFlag())
	}
	return wrong(c, "%v", err)
}

// nearFlag returns the flag that was probably meant.
func nearFlag(c *cobra.Command, name string) string {
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	if near := similar.Nearest(name, known); near != "" {
		return ": did you mean --" + near + "?"
	}
	return ""
}

// expected describes the values of a flag. For pflag's own types, the error would have
// the words of package strconv.
func expected(e *pflag.InvalidValueError) string {
	if _, ours := e.GetFlag().Value.(*duration); ours {
		return e.Unwrap().Error()
	}
	switch e.GetFlag().Value.Type() {
	case "duration":
		return "expected a duration such as 500ms, 10s or 1m30s"
	case "int", "int64", "uint", "uint64":
		return "expected a whole number"
	case "float64":
		return "expected a number"
	case "float64Slice":
		return "expected numbers separated by commas"
	case "bool":
		return "expected true or false"
	}
	return e.Unwrap().Error()
}

// The annotations for cobra's groups of flags.
const (
	oneRequired = "cobra_annotation_one_required"
	exclusive   = "cobra_annotation_mutually_exclusive"
)

// badGroups reports missing and conflicting flags, before cobra does.
func badGroups(c *cobra.Command) (err error) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		for _, group := range f.Annotations[exclusive] {
			if set := given(c, group); err == nil && len(set) > 1 {
				err = wrong(c, "%s and %s exclude each other", set[0], set[1])
			}
		}
	})
	c.Flags().VisitAll(func(f *pflag.Flag) {
		for _, group := range f.Annotations[oneRequired] {
			if err == nil && len(given(c, group)) == 0 {
				err = wrong(c, "%s needs %s", nameOf(c), or(possible(c, named(group))))
			}
		}
	})
	return err
}

// given returns the given flags of a group.
func given(c *cobra.Command, group string) []string {
	return slices.DeleteFunc(named(group), func(name string) bool { return !c.Flags().Changed(name[2:]) })
}

// possible returns the flags that can be combined with the given ones.
func possible(c *cobra.Command, names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(c.Flags().Lookup(name[2:]).Annotations[exclusive], func(group string) bool { return len(given(c, group)) > 0 })
	})
}

func named(group string) []string {
	list := strings.Fields(group)
	for i := range list {
		list[i] = "--" + list[i]
	}
	return list
}

// or joins choices with "or".
func or(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// badCommand reports an unknown command.
func badCommand(c *cobra.Command, name string) error {
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	if edition.Minimal && slices.Contains([]string{"bench", "convert", "demo", "deploy", "diff", "discover", "doctor", "explain", "fmt", "init", "top"}, name) {
		return wrong(c, "the minimal edition of goodgate does not have the command %q: use the full edition", name)
	}
	if near := similar.Nearest(name, known); near != "" {
		return wrong(c, "there is no command %q: did you mean %s %s?", name, c.CommandPath(), near)
	}
	return wrong(c, "there is no command %q; the commands are %s", name, strings.Join(known, ", "))
}

// choice is the value of a flag that must be one of some words; empty = not given.
type choice struct {
	of    []string
	value string
}

func (v *choice) String() string { return v.value }
func (v *choice) Type() string   { return "word" }
func (v *choice) list() string   { return or(v.of) }

// Set implements [pflag.Value].
func (v *choice) Set(s string) error {
	if !slices.Contains(v.of, s) {
		return fmt.Errorf("expected %s", v.list())
	}
	v.value = s
	return nil
}

// number is the value of a flag that must be from least to most.
type number[T int | float64] struct {
	value       *T
	least, most T
	parse       func(string) (T, error)
}

func (v number[T]) String() string {
	if v.value == nil {
		return ""
	}
	return fmt.Sprint(*v.value)
}

func (v number[T]) Type() string { return "number" }

// Set implements [pflag.Value]. The comparison refuses NaN.
func (v number[T]) Set(s string) error {
	n, err := v.parse(s)
	if err != nil || !(v.least <= n && n <= v.most) {
		return fmt.Errorf("expected a number from %s to %s", digits(v.least), digits(v.most))
	}
	*v.value = n
	return nil
}

func digits[T int | float64](n T) string { return strconv.FormatFloat(float64(n), 'f', -1, 64) }
