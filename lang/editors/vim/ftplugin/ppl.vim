" Settings for ppl programs: comments, four spaces, `:make` checks the file.
if exists("b:did_ftplugin")
  finish
endif
let b:did_ftplugin = 1
setlocal comments=:# commentstring=#\ %s
setlocal expandtab shiftwidth=4 softtabstop=4
setlocal makeprg=ppl\ check\ %:S
setlocal errorformat=%f:%l:%c:\ %trror:\ %m,%f:%l:%c:\ %tarning:\ %m,%-G%.%#
setlocal formatprg=ppl\ fmt\ -
let b:undo_ftplugin = "setlocal comments< commentstring< expandtab< shiftwidth< softtabstop< makeprg< errorformat< formatprg<"
