// Package checks tests the parts of a release. It installs the Linux packages in a
// separate root, upgrades them under load and removes them. It unpacks images and runs
// them. It renders the chart in every combination and decodes the result with the types
// of Kubernetes.
//
// The flag -dist names the folder with the release. Tests that need root or Linux are
// skipped elsewhere, with a message.
package checks
