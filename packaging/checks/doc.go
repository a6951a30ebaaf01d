// Package checks tests what a release is made of: the packages of Linux are installed,
// upgraded under load and removed in a root of their own, images are unpacked and run, the
// chart is rendered in every combination and what it makes is decoded by Kubernetes' types.
//
// The folder with the release is the flag -dist. What needs root or Linux is left out
// elsewhere, and says so.
package checks
