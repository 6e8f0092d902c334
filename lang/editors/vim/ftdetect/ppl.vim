autocmd BufNewFile,BufRead *.ppl setfiletype ppl
