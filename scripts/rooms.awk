# Usage: awk -f rooms.awk rooms.txt INCLUDES, whose lines are `PATH:LINE:#include …`. Exit 1: a room looks where it
# may not, or rooms.txt allows a file that nobody includes.
function begins(text, with) {
    return substr(text, 1, length(with)) == with
}

function may(path, name,    rule, i, count, items, allowed, known) {
    for (rule in rules) {
        if (!begins(path, rule)) {
            continue
        }
        known = 1
        allowed = allowed || (rule ~ /\/$/ && begins(name, rule))
        count = split(rules[rule], items, " ")
        for (i = 1; i <= count; i++) {
            if (items[i] ~ /^<|\/$/ ? begins(name, items[i]) : name == items[i]) {
                allowed = 1
                used[rule, items[i]] = 1
            }
        }
    }
    if (!known) {
        return "is in no room"
    }
    return allowed ? "" : "is not for this room"
}

/^#/ || NF == 0 {
    next
}

FNR == NR {
    rule = $1
    $1 = ""
    rules[rule] = $0
    next
}

{
    split($0, place, ":")
    name = $0
    sub(/^[^<"]*["]?/, "", name)
    sub(/[>"].*$/, "", name)
    if (name ~ /^</ && name !~ /^<(CL\/|clblast)/) {
        next
    }
    wrong = may(place[1], name)
    if (wrong != "") {
        printf "%s:%s: %s %s (scripts/rooms.txt)\n", place[1], place[2], name, wrong
        failed = 1
    }
    seen++
}

END {
    for (rule in rules) {
        count = split(rules[rule], items, " ")
        for (i = 1; i <= count; i++) {
            if (items[i] !~ /\/$/ && !((rule, items[i]) in used)) {
                printf "scripts/rooms.txt: %s: nobody includes %s\n", rule, items[i]
                failed = 1
            }
        }
    }
    if (!seen) {
        print "found no include"
        failed = 1
    }
    exit failed
}
