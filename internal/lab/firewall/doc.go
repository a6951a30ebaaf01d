// Package firewall drops the packets of a connection, for tests.
package firewall
