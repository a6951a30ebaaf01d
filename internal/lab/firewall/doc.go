// Package firewall drops, for tests, what comes for a connection.
package firewall
