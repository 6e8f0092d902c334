# The files of the library as C (runtime/interp/stdlib.h): their texts, and where each definition stands, sorted by name.
# usage: LC_ALL=C awk -f stdlib/embed.awk stdlib/*.ppl stdlib/reference.txt
#
# A definition is `dist|fn|net|model|guide NAME ...` or `NAME = value`. It begins in the first column; its other lines are
# indented or begin with the bracket that ends it. Nothing else stands in the first column but comments.

function wrong(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
    failed = 1
    exit 1
}

function begin_definition(name) {
    if (name in seen) wrong(name " is defined twice: first at " seen[name])
    seen[name] = FILENAME ":" FNR
    n++
    names[n] = name; file[n] = nfiles - 1; line[n] = FNR; start[n] = offset
}

BEGIN {
    print "#include \"interp/stdlib.h\""
    nfiles = 0
}

FNR == 1 && FILENAME ~ /\.txt$/ { # the last: what `ppl help` says, a text only
    print "    ;\nconst char stdlib_reference[] ="
    reference = 1
    last = n
}
FNR == 1 && !reference {
    if (nfiles) print "    ;"
    print "static const char text" nfiles "[] ="
    base = FILENAME
    sub(/.*\//, "", base)
    bases[nfiles++] = base
    offset = 0
    last = n
}

!reference && /^(dist|fn|net|model|guide) / {
    name = $2
    sub(/[^A-Za-z0-9_\200-\377].*/, "", name)
    if (name == "") wrong("a name was expected behind " $1)
    begin_definition(name)
}
!reference && /^[A-Za-z_\200-\377][A-Za-z0-9_\200-\377]* *=[^=]/ {
    name = $0
    sub(/ *=.*/, "", name)
    begin_definition(name)
}
!reference && /^[^ #})\]]/ && !/^(dist|fn|net|model|guide) / && !/^[A-Za-z_\200-\377][A-Za-z0-9_\200-\377]* *=[^=]/ {
    wrong("only definitions (dist, fn, net, model, guide, or NAME = value) stand in the first column of the library")
}
!reference && /^[ })\]]/ && n == last && !/^ *(#|$)/ { wrong("no definition has begun here") }

{
    bytes = length($0) + 1
    if (n > last && !/^ *(#|$)/) end[n] = offset + bytes # comments and empty lines behind a definition are not of it
    offset += bytes
    gsub(/\\/, "\\\\")
    gsub(/"/, "\\\"")
    gsub(/\t/, "\\t")
    gsub(/\r/, "\\r")
    gsub(/\?/, "\\?") # no trigraphs
    print "    \"" $0 "\\n\""
}

END {
    if (failed) exit 1
    print "    ;\nconst StdlibFile stdlib_files[] = {"
    for (k = 0; k < nfiles; k++) printf "    {\"%s\", text%d, sizeof text%d - 1},\n", bases[k], k, k
    print "};\nconst int stdlib_nfiles = " nfiles ";\nconst LibraryEntry stdlib_entries[] = {"
    fflush()
    for (k = 1; k <= n; k++)
        printf "    {\"%s\", %d, %d, %d, %d},\n", names[k], file[k], line[k], start[k], end[k] - start[k] | "sort"
    close("sort")
    print "};\nconst int stdlib_nentries = " n ";"
}
