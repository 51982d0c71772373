package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What a hash of ours costs: 19 MiB and about 20 ms of a processor.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonSum    = 32
)

// What a hash may cost at most: the wall computes it while it shows figures.
const (
	argonMemoryMost = 256 << 10 // KiB
	argonTimeMost   = 16
	argonLanesMost  = 16
	bcryptMost      = 14 // about a second
)

// PasswordLeast and PasswordMost bound a new password, in bytes.
const (
	PasswordLeast = 8
	PasswordMost  = 256
)

// Line makes a line of a list of users, with the argon2id hash of a password.
func Line(who Who, password string) (string, error) {
	if err := CheckName(who.Name); err != nil {
		return "", err
	}
	if len(password) < PasswordLeast || len(password) > PasswordMost {
		return "", fmt.Errorf("the password has %d characters; want %d to %d", len(password), PasswordLeast, PasswordMost)
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonSum)
	return fmt.Sprintf("%s:%s:$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", who.Name, who.Role, argon2.Version, argonMemory, argonTime, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

// parseHash reads a hash of bcrypt or argon2id.
func parseHash(hash string) (matches func(password string) bool, err error) {
	switch {
	case strings.HasPrefix(hash, "$argon2id$"):
		return parseArgon(hash)
	case strings.HasPrefix(hash, "$2a$"), strings.HasPrefix(hash, "$2b$"), strings.HasPrefix(hash, "$2y$"):
		return parseBcrypt(hash)
	}
	return nil, errors.New("this is no hash of argon2id or bcrypt; `liushui user NAME` makes one")
}

func parseBcrypt(hash string) (func(string) bool, error) {
	cost, err := bcrypt.Cost([]byte(hash))
	if err != nil || len(hash) != 60 {
		return nil, errors.New("this hash of bcrypt is cut or changed")
	}
	if cost > bcryptMost {
		return nil, fmt.Errorf("this hash of bcrypt has the cost %d; want at most %d", cost, bcryptMost)
	}
	return func(password string) bool {
		return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
	}, nil
}

// parseArgon reads the PHC form: $argon2id$v=19$m=19456,t=2,p=1$salt$sum.
func parseArgon(hash string) (func(string) bool, error) {
	bad := errors.New("this hash of argon2id is cut or changed")
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, bad
	}
	var memory, rounds uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &rounds, &lanes); err != nil || parts[3] != fmt.Sprintf("m=%d,t=%d,p=%d", memory, rounds, lanes) {
		return nil, bad
	}
	salt, saltBad := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumBad := base64.RawStdEncoding.DecodeString(parts[5])
	if saltBad != nil || sumBad != nil || len(salt) < 8 || len(sum) < 16 || rounds < 1 || lanes < 1 {
		return nil, bad
	}
	if memory > argonMemoryMost || rounds > argonTimeMost || lanes > argonLanesMost {
		return nil, fmt.Errorf("this hash of argon2id takes m=%d,t=%d,p=%d; want at most m=%d,t=%d,p=%d", memory, rounds, lanes, argonMemoryMost, argonTimeMost, argonLanesMost)
	}
	return func(password string) bool {
		got := argon2.IDKey([]byte(password), salt, rounds, memory, lanes, uint32(len(sum)))
		return subtle.ConstantTimeCompare(got, sum) == 1
	}, nil
}
