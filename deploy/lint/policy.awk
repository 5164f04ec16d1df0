# policy.awk deny.toml PACKAGES SOURCES: the licences, bans and sources of deny.toml, of which it
# understands the plain form used there: one string or one inline table a line.

FNR == 1 { file++ }

file == 1 && /^\[/ { section = $1; list = "" }
file == 1 && /^[a-z-]+ *=/ { list = $1 }
file == 1 && section == "[licenses]" && list == "allow" { licences += remember(allowed) }
file == 1 && section == "[licenses]" && list == "exceptions" && /crate/ { except() }
file == 1 && section == "[bans]" && list == "deny" && /crate/ { bans += remember(banned) }
file == 1 && section == "[sources]" && list == "allow-registry" { registries += remember(registry) }

file == 2 && /\t/ {
  split($0, half, "\t")
  split(half[2], package, " ")
  # The members of the workspace are the only ones that come from a folder.
  if (half[2] ~ /\(\//) { members++; next }
  packages++
  if (package[1] in banned) refuse(package[1] " is banned")
  if (!permitted(half[1]) && excepted[package[1]] != half[1]) refuse(package[1] " " package[2] ": licence '" half[1] "' is not allowed")
}

file == 3 {
  sub(/^(registry|sparse)\+/, "")
  if (!($0 in registry)) refuse("source " $0 " is not allowed")
}

END {
  if (!packages || !members || !licences || !bans || !registries) refuse("nothing was checked: a file is missing or empty")
  if (!refused) printf "%d dependencies: licences, bans and sources are as deny.toml says\n", packages
  exit refused > 0
}

function refuse(why) { print "error: " why; refused++ }

# The first string of the line, into a set. Answers how many that were.
function remember(set) {
  if (!match($0, /"[^"]*"/)) return 0
  set[substr($0, RSTART + 1, RLENGTH - 2)] = 1
  return 1
}

# An SPDX expression, by recursive descent: OR binds weaker than AND. The old "MIT/Apache-2.0" means OR.
function permitted(expression) {
  gsub(/\//, " OR ", expression)
  gsub(/[()]/, " & ", expression)
  words = split(expression, word, " ")
  at = 1
  return words > 0 && either() && at > words
}

function either(  value) {
  value = both()
  while (word[at] == "OR" && at <= words) { at++; value = both() || value }
  return value
}

function both(  value) {
  value = licence()
  while (word[at] == "AND" && at <= words) { at++; value = licence() && value }
  return value
}

function licence(  value, name) {
  if (at > words) return 0
  if (word[at] == "(") {
    at++
    value = either()
    if (word[at] != ")") return 0
    at++
    return value
  }
  name = word[at++]
  if (word[at] == "WITH") { name = name " WITH " word[at + 1]; at += 2 }
  return name in allowed
}

# `{ crate = "NAME", allow = ["LICENCE"] }`, into `excepted`.
function except(    part) {
  split($0, part, "\"")
  excepted[part[2]] = part[4]
}
