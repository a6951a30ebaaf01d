package config

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for on, want := range map[string]string{
		`client_ip`:                                   "",
		`"{client_ip}{header:x-tenant}"`:              "",
		`[client_ip, "header:X-Tenant", "{query:a}"]`: "",
		`[all, client_ip]`:                            "all excludes the other parts",
		`[]`:                                          "empty: name a key to count requests by",
		`"{clientip}"`:                                `found "{clientip}": unknown variable {clientip} (did you mean {client_ip}?)`,
		`"{route}"`:                                   `found "{route}": {route} has no value at this point`,
		`"{1}"`:                                       `found "{1}": {1} has no value here`,
		`"{}"`:                                        `found "{}": has no variable`,
		`"{header:a b}"`:                              `found "{header:a b}": {header:a b}: "a b" is not a name`,
		`client-ip`:                                   `found "client-ip": expected client_ip, all, header:NAME, cookie:NAME, or text with variables such as {client_ip} (did you mean client_ip?)`,
	} {
		_, _, err := Parse("g.yaml", []byte(withPool("limits: {rates: [{requests: 1, on: "+on+"}]}")), noEnv)
		got := ""
		if err != nil {
			_, got, _ = strings.Cut(fmt.Sprint(err), "on: ")
			if _, rest, listed := strings.Cut(fmt.Sprint(err), "on[0]: "); listed {
				got = rest
			}
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: got %s, want %s", on, got, want)
		}
	}
	checkPoolWarnings(t, `policy: hash, hash: {on: ["{client_ip}{header:X-Real-IP}"]}`, "hash.on: X-Real-Ip never arrives")
	checkPoolWarnings(t, `limits: {rates: [{requests: 1, on: [client_ip, "header:X-Forwarded-User"]}]}`, "limits.rates[0].on: X-Forwarded-User never arrives")
}
