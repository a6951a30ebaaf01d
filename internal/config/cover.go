package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// covers reports whether m matches every request that o matches.
func (m Match) covers(o Match) bool { return m.Own().covers(o.Own()) }

// covers compares nested conditions only for equality.
func (m Conditions) covers(o Conditions) bool {
	return m.coversOwn(o) &&
		(len(m.Any) == 0 || reflect.DeepEqual(m.Any, o.Any)) && subset(m.All, o.All) && subset(m.Not, o.Not)
}

// subset reports whether all entries of m are among those of o.
func subset(m, o []Conditions) bool {
	return !slices.ContainsFunc(m, func(c Conditions) bool {
		return !slices.ContainsFunc(o, func(d Conditions) bool { return reflect.DeepEqual(c, d) })
	})
}

func (m Conditions) coversOwn(o Conditions) bool {
	mayBeStar := len(o.Methods) == 0 || slices.Contains(o.Methods, "OPTIONS")
	return coversHosts(m.Host, o.Host) && coversPath(m.Path, o.Path, mayBeStar) &&
		(m.HostRegexp == "" || m.HostRegexp == o.HostRegexp) &&
		(m.PathRegexp == "" || m.PathRegexp == o.PathRegexp) &&
		(m.Scheme == "" || m.Scheme == "any" || m.Scheme == o.Scheme) &&
		coversList(m.Methods, o.Methods) && coversList(m.Listener, o.Listener) && coversList(m.Port, o.Port) && coversHosts(m.SNI, o.SNI) &&
		coversClients(m.Client, o.Client) && coversValues(m.Headers, o.Headers) &&
		coversValues(m.Query, o.Query) && coversValues(m.Cookies, o.Cookies) &&
		coversPrefixes(m.HeaderPrefix, o.HeaderPrefix, o.Headers) && coversPrefixes(m.QueryPrefix, o.QueryPrefix, o.Query) &&
		coversPrefixes(m.CookiePrefix, o.CookiePrefix, o.Cookies) && coversAbsent(m.HeaderAbsent, o.HeaderAbsent) &&
		coversAbsent(m.QueryAbsent, o.QueryAbsent) && coversAbsent(m.CookieAbsent, o.CookieAbsent) &&
		coversExpressions(m.HeaderRegexp, o.HeaderRegexp) && coversExpressions(m.QueryRegexp, o.QueryRegexp) &&
		coversExpressions(m.CookieRegexp, o.CookieRegexp)
}

func coversHosts(m, o []string) bool {
	if len(m) == 0 {
		return true
	}
	return len(o) > 0 && !slices.ContainsFunc(o, func(host string) bool {
		return !slices.ContainsFunc(m, func(pattern string) bool { return coversHost(pattern, host) })
	})
}

// coversHost compares one pattern with another: *.example.com covers a.example.com, *.a.example.com and itself.
func coversHost(pattern, host string) bool {
	suffix, wild := strings.CutPrefix(pattern, "*")
	return pattern == host || wild && strings.HasSuffix(strings.TrimPrefix(host, "*"), suffix)
}

// coversPath compares conditions on paths. mayBeStar means that o may match OPTIONS *, the only request whose path does
// not start with / (RFC 9110 section 7.1).
func coversPath(m, o string, mayBeStar bool) bool {
	if m == "" {
		return true
	}
	mPrefix, mWild := strings.CutSuffix(m, "*")
	oPrefix, oWild := strings.CutSuffix(o, "*")
	switch {
	case strings.Contains(mPrefix, "*"): // paths with * are not compared
		return m == o
	case o == "":
		return mPrefix == "/" && mWild && !mayBeStar
	case mWild:
		return strings.HasPrefix(oPrefix, mPrefix)
	}
	return !oWild && m == o
}

// coversList reports whether a list of alternatives includes all of another. An empty list means all values.
func coversList[T comparable](m, o []T) bool {
	if len(m) == 0 {
		return true
	}
	return len(o) > 0 && !slices.ContainsFunc(o, func(word T) bool { return !slices.Contains(m, word) })
}

func coversClients(m, o []netip.Prefix) bool {
	if len(m) == 0 {
		return true
	}
	return len(o) > 0 && !slices.ContainsFunc(o, func(net netip.Prefix) bool {
		return !slices.ContainsFunc(m, func(wide netip.Prefix) bool { return wide.Bits() <= net.Bits() && wide.Contains(net.Addr()) })
	})
}

// coversExpressions compares expressions only for equality.
func coversExpressions(m, o Expressions) bool {
	for name, re := range m {
		if o[name] != re {
			return false
		}
	}
	return true
}

// coversPrefixes compares prefixes with prefixes and with exact values.
func coversPrefixes(m, o, exact map[string]string) bool {
	for name, prefix := range m {
		longer, ok := o[name]
		value, is := exact[name]
		if !(ok && strings.HasPrefix(longer, prefix)) && !(is && !anyValue(value) && strings.HasPrefix(value, prefix)) {
			return false
		}
	}
	return true
}

func coversAbsent(m, o []string) bool {
	return !slices.ContainsFunc(m, func(name string) bool { return !slices.Contains(o, name) })
}

func coversValues(m, o map[string]string) bool {
	for name, value := range m {
		other, ok := o[name]
		if !ok || !anyValue(value) && value != other {
			return false
		}
	}
	return true
}

// anyValue reports whether a condition accepts any value.
func anyValue(value string) bool { return value == "" || value == "*" }
