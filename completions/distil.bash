# bash completion for distil; written by: distil completions bash

_distil_words() {
    local word
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -W "$1" -- "$current")
}

_distil_paths() {
    local path
    compopt -o filenames 2>/dev/null
    while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$current")
}

# Anything may stand here: offer nothing, not even files.
_distil_free() { compopt +o default 2>/dev/null; }

_distil() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} i
    local command=${COMP_WORDS[1]} options=1
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then command=; fi
    # bash takes --option=value for three words.
    if [[ $current == = ]]; then
        current=
    elif [[ $previous == = ]] && ((COMP_CWORD > 2)); then
        previous=${COMP_WORDS[COMP_CWORD-2]}
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then options=; fi
    done
    case $command in
        '')
            if [[ $options ]]; then
                if [[ $current == -* ]]; then
                    _distil_words '--version --help -h'; return
                fi
            fi
            _distil_words 'bench choose classify completions embed evaluate fill finetune params qa tag tokenize' ;;
        'bench')
            if [[ $options ]]; then
                case $previous in
                    --model | -m | --vs) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --device | --seq | --batch | --precision | --sweep | --text-column | -c | --limit | --rounds | --seconds | --threads | --fail-over | --max-p95-ms) _distil_free; return ;;
                    --dataset | --json | --compare) _distil_paths -f; return ;;
                    --profile) _distil_paths -d; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--model -m --vs --device --seq --batch --precision --sweep --dataset --text-column -c --limit --rounds --seconds --threads --profile --offline --json --format --quiet -q --compare --fail-over --max-p95-ms --help -h'; return
                fi
            fi
            _distil_free ;;
        'choose')
            if [[ $options ]]; then
                case $previous in
                    --text | --prompt | --option | --prompt-column | --options-column | --option-columns | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --prompt --option --prompt-column --options-column --option-columns --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'classify')
            if [[ $options ]]; then
                case $previous in
                    --text | --text-column | -c | --pair-column | --top-k | --threshold | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --text-column -c --pair-column --top-k --all-scores --multi-label --threshold --window-pooling --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'completions')
            if [[ $options ]]; then
                if [[ $current == -* ]]; then
                    _distil_words '--help -h'; return
                fi
            fi
            _distil_words 'bash zsh fish' ;;
        'embed')
            if [[ $options ]]; then
                case $previous in
                    --text | --text-column | -c | --pooling | --dims | --layer | --prompt | --prompt-name | --id-column | --search | --top-k | -k | --near-duplicates | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --dtype) _distil_words 'float32 float16 int8 binary'; return ;;
                    --index | --output | -o | --stats) _distil_paths -f; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet npy safetensors'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --text-column -c --pooling --normalize --no-normalize --dims --layer --tokens --dtype --prompt --prompt-name --id-column --search --index --top-k -k --near-duplicates --window-pooling --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'evaluate')
            if [[ $options ]]; then
                case $previous in
                    --task) _distil_words 'classify multilabel regress tag qa mlm embed choose'; return ;;
                    --label-column | --text-column | -c | --pair-column | --label-separator | --options-column | --option-columns | --prefix | --map | --threshold | --confidence | --by | --min | --max | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --errors | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                    --on-error) _distil_words 'stop skip'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --window-pooling) _distil_words 'mean max first'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--task --label-column --text-column -c --pair-column --label-separator --options-column --option-columns --prefix --map --threshold --threshold-search --calibrate --confidence --by --errors --force --min --max --format --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --window-pooling --batch --max-tokens --threads --device --precision --min-agreement --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_free ;;
        'fill')
            if [[ $options ]]; then
                case $previous in
                    --text | --text-column | -c | --top-k | --targets | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --text-column -c --top-k --targets --whole-word --pseudo-perplexity --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'finetune')
            if [[ $options ]]; then
                case $previous in
                    --valid | --plot | --stats) _distil_paths -f; return ;;
                    --valid-split | --text-column | -c | --pair-column | --label-column | --label-separator | --options-column | --option-columns | --input-format | --encoding | --delimiter | --limit | --student-layers | --student | --positions | --prune-heads | --max-length | --epochs | --learning-rate | --lr | --warmup | --weight-decay | --layer-decay | --clip | --token-budget | --accumulate | --freeze | --dropout | --label-smoothing | --augment | --average | --eval-every | --early-stopping | --seed | --temperature | --alpha-ce | --alpha-task | --alpha-cos | --alpha-hidden | --alpha-attention | --threads | --device) _distil_free; return ;;
                    --task) _distil_words 'classify multilabel regress tag qa mlm embed choose'; return ;;
                    --model | -m | --teacher) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --position-growth) _distil_words 'copy interpolate'; return ;;
                    --schedule) _distil_words 'linear cosine'; return ;;
                    --class-weights) _distil_words 'balanced'; return ;;
                    --precision) _distil_words 'auto fp32 bf16'; return ;;
                    --teacher-cache | --output | -o) _distil_paths -d; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--valid --valid-split --text-column -c --pair-column --label-column --label-separator --options-column --option-columns --input-format --encoding --delimiter --no-header --limit --task --model -m --fold --student-layers --student --positions --position-growth --prune-heads --max-length --epochs --learning-rate --lr --schedule --warmup --weight-decay --layer-decay --clip --token-budget --accumulate --gradient-checkpointing --freeze --dropout --class-weights --label-smoothing --augment --average --precision --eval-every --early-stopping --seed --teacher --teacher-cache --temperature --alpha-ce --alpha-task --alpha-cos --alpha-hidden --alpha-attention --output -o --plot --dry-run --threads --device --resume --force --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'params')
            if [[ $options ]]; then
                case $previous in
                    --diff) _distil_words 'embed entities mini qa sentiment'; _distil_paths -f; return ;;
                    --by) _distil_words 'module layer tensor'; return ;;
                    --format) _distil_words 'auto table tsv csv json'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--diff --by --check --format --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_words 'embed entities mini qa sentiment'; _distil_paths -d ;;
        'qa')
            if [[ $options ]]; then
                case $previous in
                    --text | --question | --context | --question-column | --context-column | --top-k | --max-answer-length | --no-answer-threshold | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --context-file | --squad-predictions | --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --question --context --context-file --question-column --context-column --top-k --max-answer-length --no-answer-threshold --squad-predictions --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'tag')
            if [[ $options ]]; then
                case $previous in
                    --text | --text-column | -c | --prefix | --input-format | --encoding | --delimiter | --limit | --max-length | --stride | --batch | --max-tokens | --threads | --device | --min-agreement) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --aggregation) _distil_words 'none simple first average max'; return ;;
                    --output | -o | --stats) _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet conll'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --precision) _distil_words 'fp32 tf32 bf16 fp16 int8'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --text-column -c --aggregation --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --long --max-length --stride --batch --max-tokens --threads --device --precision --min-agreement --dry-run --stats --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
        'tokenize')
            if [[ $options ]]; then
                case $previous in
                    --text | --text-column | -c | --pair-column | --columns | --max-length | --stride | --vocab-size | --prefix | --input-format | --encoding | --delimiter | --limit) _distil_free; return ;;
                    --model | -m) _distil_words 'embed entities mini qa sentiment'; _distil_paths -d; return ;;
                    --vocab | --plot | --output | -o) _distil_paths -f; return ;;
                    --engine) _distil_words 'fast wordpiece'; return ;;
                    --long) _distil_words 'truncate window error'; return ;;
                    --truncation) _distil_words 'longest_first only_first only_second'; return ;;
                    --diff) _distil_words 'embed entities mini qa sentiment'; _distil_paths -f; return ;;
                    --format) _distil_words 'auto table csv tsv jsonl json parquet'; return ;;
                    --on-error) _distil_words 'keep skip stop'; return ;;
                esac
                if [[ $current == -* ]]; then
                    _distil_words '--text --model -m --vocab --cased --uncased --engine --text-column -c --pair-column --columns --max-length --long --stride --truncation --decode --stats --plot --diff --train --vocab-size --output -o --format --prefix --force --input-format --encoding --delimiter --no-header --limit --on-error --json --offline --quiet -q --help -h'; return
                fi
            fi
            _distil_paths -f ;;
    esac
}

complete -o default -F _distil distil
