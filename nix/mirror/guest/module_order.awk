# modules.builtin, modules.dep -> the files of the modules named in `wanted`, each after what it needs
# (depmod(8), modules.builtin(5)).
function name_of(file) {
    sub(/.*\//, "", file)
    sub(/\.ko$/, "", file)
    gsub(/-/, "_", file)
    return file
}

FILENAME ~ /modules\.builtin$/ {
    builtin[name_of($1)]
    next
}

{
    file = $1
    sub(/:$/, "", file)
    path[name_of(file)] = file
    needs[file] = ""
    for (i = 2; i <= NF; i++)
        needs[file] = $i " " needs[file]
}

function visit(file,    list, count, i) {
    if (file in seen)
        return
    seen[file] = 1
    count = split(needs[file], list, " ")
    for (i = 1; i <= count; i++)
        visit(list[i])
    print file
}

END {
    count = split(wanted, names, " ")
    for (i = 1; i <= count; i++) {
        if (names[i] in builtin)
            continue
        if (!(names[i] in path)) {
            print "the kernel has no module " names[i] > "/dev/stderr"
            exit 1
        }
        visit(path[names[i]])
    }
}
